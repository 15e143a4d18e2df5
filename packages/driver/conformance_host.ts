import { Cgroup } from "./cgroup.ts";
import { createDiskImage } from "./disk_image.ts";
import type { LaunchSpec, MachineImage } from "./driver.ts";
import { runCommand } from "./run_command.ts";
import { sleep } from "./sleep.ts";

const MiB = 1024 * 1024;
const PORT = 4270;
const BOOT_MS = 20_000;
const ATTEMPT_MS = 1_000;

/**
 * The guest's program in these tests: runs what is sent to it, line by line, in a shell, and answers
 * with what that printed. Every guest image has python3; the agent itself is not what is tested.
 */
const GUEST_PROGRAM = `
import socketserver, subprocess
class Shell(socketserver.StreamRequestHandler):
    def handle(self):
        command = self.rfile.readline().decode()
        done = subprocess.run(command, shell=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.wfile.write(done.stdout)
class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
print("guest is up", flush=True)
Server(("0.0.0.0", ${PORT}), Shell).serve_forever()
`;

export interface HostOptions {
  image: MachineImage;
  memoryMb?: number;
  diskMb?: number;
  logBytes?: number;
  args?: string[];
  /** What the driver says that a machine needs besides. */
  machineMemoryBytes?: number;
  /** How long the guest's program may take to come up. */
  bootMs?: number;
}

/** What an engine gives to a machine, made by the plainest means, and taken away at the end. */
export class ConformanceHost implements AsyncDisposable {
  readonly spec: LaunchSpec;
  readonly cgroup: Cgroup;
  readonly #namespace: string;
  readonly #workDir: string;
  readonly #bootMs: number;

  private constructor(spec: LaunchSpec, cgroup: Cgroup, bootMs: number) {
    this.spec = spec;
    this.cgroup = cgroup;
    this.#bootMs = bootMs;
    this.#namespace = spec.network.namespace;
    this.#workDir = spec.workDir;
  }

  static async create(options: HostOptions): Promise<ConformanceHost> {
    const [index] = crypto.getRandomValues(new Uint16Array(1));
    const name = `pdt${index.toString(16).padStart(4, "0")}`;
    const address = (last: number) => `10.198.${(index >> 6) & 255}.${(index & 63) * 4 + last}`;
    await ip(["netns", "add", name]);
    await ip(["link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", name]);
    await ip(["addr", "add", `${address(1)}/30`, "dev", name]);
    await ip(["link", "set", name, "up"]);
    await ip(["-n", name, "addr", "add", `${address(2)}/30`, "dev", "eth0"]);
    await ip(["-n", name, "link", "set", "eth0", "up"]);
    await ip(["-n", name, "route", "add", "default", "via", address(1)]);
    const memoryBytes = (options.memoryMb ?? 256) * MiB;
    const cgroup = new Cgroup(`paddock-conformance/${name}`);
    const machineBytes = 64 * MiB + (options.machineMemoryBytes ?? 0);
    cgroup.create({ memoryBytes: memoryBytes + machineBytes, pids: 1024 });
    const workDir = await Deno.makeTempDir({ prefix: "paddock-conformance-" });
    const diskImage = `${workDir}/disk.img`;
    await Deno.mkdir(`${workDir}/host-layers`);
    await createDiskImage(diskImage, (options.diskMb ?? 1024) * MiB);
    return new ConformanceHost(
      {
        id: `conformance_${name}`,
        image: options.image,
        layers: `${workDir}/host-layers`,
        diskImage,
        workDir,
        hostname: "conformance",
        resolvConf: "nameserver 192.0.2.53\n",
        hosts: "127.0.0.1 localhost\n",
        network: {
          ...{ index, namespace: name, guestAddress: address(2), gateway: address(1) },
          prefixLength: 30,
        },
        cgroup: cgroup.path,
        memoryBytes,
        logBytes: options.logBytes ?? 64 * 1024,
        init: {
          args: options.args ?? ["/usr/bin/python3", "-c", GUEST_PROGRAM],
          env: { PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" },
          cwd: "/",
        },
      },
      cgroup,
      options.bootMs ?? BOOT_MS,
    );
  }

  /** Runs a shell command in the guest, waiting for the guest to be up. */
  async shell(command: string, deadlineMs = this.#bootMs): Promise<string> {
    const end = performance.now() + deadlineMs;
    for (;;) {
      const connection = await this.#connect();
      if (connection) {
        using open = connection;
        try {
          await open.write(new TextEncoder().encode(`${command.replaceAll("\n", " ")}\n`));
          return await new Response(open.readable).text();
        } catch (error) {
          if (performance.now() > end) throw error;
        }
      }
      if (performance.now() > end) throw new Error(`the guest was not up within ${deadlineMs} ms`);
      await sleep(20);
    }
  }

  /** A network that comes up loses packets: a new attempt is quicker than a patient one. */
  async #connect(): Promise<Deno.TcpConn | undefined> {
    const { guestAddress: hostname } = this.spec.network;
    const connecting = Deno.connect({ hostname, port: PORT });
    const connected = await Promise.race([
      connecting.catch(() => undefined),
      sleep(ATTEMPT_MS).then(() => undefined),
    ]);
    if (!connected) connecting.then((late) => late.close(), () => {});
    return connected;
  }

  /** What of the machine is still on the host: processes, loop devices, mounts. */
  leftovers(): string[] {
    const found = this.cgroup.processes().map((pid) => `process ${pid}`);
    for (const { name } of Deno.readDirSync("/sys/block")) {
      const backing = readIfPresent(`/sys/block/${name}/loop/backing_file`);
      if (backing?.startsWith(this.#workDir)) found.push(`loop device ${name}`);
    }
    const mounts = Deno.readTextFileSync("/proc/self/mountinfo").split("\n");
    found.push(
      ...mounts.filter((line) => line.includes(this.#workDir)).map((line) => `mount ${line}`),
    );
    return found;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.cgroup.kill();
    await this.cgroup.remove();
    await runCommand(["ip", "link", "del", this.#namespace]);
    await runCommand(["ip", "netns", "del", this.#namespace]);
    await Deno.remove(this.#workDir, { recursive: true });
    // The last one of this run takes the parent with it.
    await new Cgroup("paddock-conformance").remove(0).catch(() => {});
  }
}

async function ip(args: string[]): Promise<void> {
  const run = await runCommand(["ip", ...args]);
  if (!run.ok) throw new Error(`ip ${args.join(" ")} failed: ${run.stderr}`);
}

function readIfPresent(path: string): string | undefined {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return undefined;
  }
}
