import { join } from "node:path";
import { defaultDataDir } from "../../images/image_store.ts";
import { buildLabDisks } from "./lab_disks.ts";
import { type LabBinaries, labFiles } from "./lab_inputs.ts";
import { ensureLabSystem } from "./lab_system.ts";

export interface RunLabOptions {
  binaries: LabBinaries;
  command: string[];
  env?: Record<string, string>;
  memoryMb?: number;
  /** From the start of the lab's machine to the end of the command. */
  timeoutMs: number;
  signal: AbortSignal;
  /** What the lab itself has to say. */
  say(line: string): void;
  /** What the command prints; this process's own output when left out. */
  onOutput?(chunk: Uint8Array): void;
}

const defaultMemoryMb = 6144;
const consoleTail = 2_000;

/**
 * Boots a Debian with a real /dev/kvm in an emulated machine that has AMD's virtualisation, runs a
 * command in this checkout there, and answers with its exit code.
 */
export async function runLab(options: RunLabOptions): Promise<number> {
  const { signal, say } = options;
  const dataDir = Deno.env.get("PADDOCK_DATA_DIR") || defaultDataDir;
  await Deno.mkdir(join(dataDir, "kvm_lab"), { recursive: true, mode: 0o700 });
  const system = await ensureLabSystem({ dataDir, signal, say });
  await using stack = new AsyncDisposableStack();
  const work = await Deno.makeTempDir({ dir: join(dataDir, "kvm_lab"), prefix: ".run-" });
  stack.defer(() => Deno.remove(work, { recursive: true }));
  const disks = await buildLabDisks({ dataDir, work, signal, say });
  const files = await labFiles({
    binaries: options.binaries,
    command: options.command,
    env: {
      PADDOCK_FIRECRACKER: "/lab/firecracker",
      PADDOCK_JAILER: "/lab/jailer",
      PADDOCK_KVM_LAB: "1",
      DENO_NO_UPDATE_CHECK: "1",
      NO_COLOR: "1",
      ...options.env,
    },
  });
  const initramfs = join(work, "initramfs");
  await Deno.copyFile(system.initramfs, initramfs);
  await Deno.writeFile(initramfs, files, { append: true });

  const exitFile = join(work, "exit_code");
  const console = join(work, "console");
  const cpus = Math.max(1, Math.min(navigator.hardwareConcurrency, 4));
  const disk = (path: string, readOnly: boolean) => [
    "-drive",
    `file=${path},format=raw,if=virtio,cache=unsafe,discard=unmap,readonly=${
      readOnly ? "on" : "off"
    }`,
  ];
  const argv = [
    ...["setpriv", "--pdeathsig", "KILL", "qemu-system-x86_64"],
    ...["-M", "q35,accel=tcg", "-cpu", "max", "-smp", String(cpus)],
    ...["-m", `${options.memoryMb ?? defaultMemoryMb}M`],
    ...["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-nic", "none"],
    ...["-kernel", system.kernel, "-initrd", initramfs],
    ...["-append", "console=ttyS0 quiet panic=-1 mitigations=off nokaslr"],
    ...["-serial", `file:${console}`],
    ...["-device", "virtio-serial-pci", "-device", "virtio-rng-pci"],
    // Not stdio: that counts as hung up as soon as there is nothing to read from.
    ...["-chardev", "file,id=output,path=/proc/self/fd/1"],
    ...["-device", "virtserialport,chardev=output,nr=1"],
    ...["-chardev", `file,id=exit,path=${exitFile}`, "-device", "virtserialport,chardev=exit,nr=2"],
    ...[...disk(system.root, true), ...disk(disks.checkout, true)],
    ...[...disk(disks.nodeModules, true), ...disk(disks.data, false)],
  ];
  say(`booting the lab (${cpus} emulated processors)`);
  const deadline = AbortSignal.timeout(options.timeoutMs);
  const stop = AbortSignal.any([signal, deadline]);
  const machine = new Deno.Command(argv[0], {
    args: argv.slice(1),
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const kill = () => machine.kill("SIGKILL");
  stop.addEventListener("abort", kill, { once: true });
  for await (const chunk of machine.stdout) {
    if (options.onOutput) options.onOutput(chunk);
    else await writeAll(chunk);
  }
  await machine.status;
  stop.removeEventListener("abort", kill);
  signal.throwIfAborted();
  const tail = async () => (await readIfPresent(console)).slice(-consoleTail);
  if (deadline.aborted) {
    throw new Error(
      `the lab did not end within ${options.timeoutMs / 1000} s; its console:\n${await tail()}`,
    );
  }
  const code = (await readIfPresent(exitFile)).trim();
  if (code === "") throw new Error(`the lab ended without a result; its console:\n${await tail()}`);
  return Number(code);
}

async function writeAll(chunk: Uint8Array): Promise<void> {
  for (let at = 0; at < chunk.length;) at += await Deno.stdout.write(chunk.subarray(at));
}

async function readIfPresent(path: string): Promise<string> {
  return await Deno.readTextFile(path).catch(() => "");
}
