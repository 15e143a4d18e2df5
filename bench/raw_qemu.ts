import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { TAP_NETWORK_SCRIPT, tapNetwork } from "@paddock/driver/vm";
import { machineArguments, VIEW } from "../packages/driver_qemu/machine_arguments.ts";
import { createOverlay } from "../packages/driver_qemu/qcow2.ts";
import { QmpClient } from "../packages/driver_qemu/qmp_client.ts";
import { firstAnswer, type RawCheckpoint } from "./raw_runsc.ts";

const slot = {
  index: 0,
  namespace: "paddock-bench",
  guestAddress: "10.222.0.2",
  gateway: "10.222.0.1",
  prefixLength: 30,
};
const ANSWER_MS = 120_000;
const POLL_MS = 2;

/**
 * The floor of a restore on QEMU: the same machine, from the same files, with nothing around it: no
 * cgroup, no user and no view of its own. The network is made beforehand and not counted.
 */
export async function rawQemu(
  checkpoint: RawCheckpoint & { rootImage: string },
): Promise<{ restoreMs(): Promise<number> } & AsyncDisposable> {
  await using made = new AsyncDisposableStack();
  const dir = await mkdtemp(join(tmpdir(), "paddock-bench-raw-"));
  made.defer(() => rm(dir, { recursive: true, force: true }));
  const { namespace, guestAddress, gateway, prefixLength } = slot;
  const inside = ["-n", namespace];
  await command("ip", ["netns", "add", namespace]);
  made.defer(() => command("ip", ["netns", "delete", namespace]));
  await command("ip", `link add pdbench type veth peer name eth0 netns ${namespace}`.split(" "));
  await command("ip", ["addr", "add", `${gateway}/${prefixLength}`, "dev", "pdbench"]);
  await command("ip", ["link", "set", "pdbench", "up"]);
  await command("ip", [...inside, "addr", "add", `${guestAddress}/30`, "dev", "eth0"]);
  await command("ip", [...inside, "link", "set", "eth0", "up"]);
  await command("ip", [...inside, "route", "add", "default", "via", gateway]);

  const at = (name: string) => join(checkpoint.directory, name);
  const note = JSON.parse(await readFile(at("machine.json"), "utf8"));
  const diskBytes = (await stat(at("disk.raw"))).size;
  const disk = join(dir, "disk");
  const files = new Map([
    [VIEW.root, checkpoint.rootImage],
    [VIEW.layers, at("layers.erofs")],
    [VIEW.disk, disk],
    [VIEW.baseDisk, at("disk.raw")],
    [VIEW.memory, at("memory")],
  ].map(([seen, real]) => [seen, real] as const));
  const { accelerator } = note;
  const args = machineArguments({
    ...{ accelerator, memoryBytes: note.machineBytes, diskHasBase: true },
  }).map((argument) =>
    argument.replace(
      /(filename|mem-path)=([^,]+)/,
      (_, key, path) => `${key}=${files.get(path) ?? path}`,
    )
      .replace("path=/dev/fdset/1,append=on", "path=/dev/null")
  );
  const handed = args.indexOf("-add-fd");
  args.splice(handed, 2);

  const release = made.move();
  return {
    async restoreMs() {
      const { links, filter } = tapNetwork(slot, 0);
      await command("nsenter", [`--net=/run/netns/${namespace}`, "sh", "-c", TAP_NETWORK_SCRIPT], {
        ...{ links, filter },
      });
      const start = performance.now();
      await createOverlay(disk, diskBytes);
      const qemu = new Deno.Command("nsenter", {
        args: [`--net=/run/netns/${namespace}`, "qemu-system-x86_64", ...args],
        stdin: "piped",
        stdout: "piped",
        stderr: "null",
      }).spawn();
      try {
        const control = new QmpClient(qemu.stdout, qemu.stdin);
        await control.open();
        await control.execute("migrate-incoming", { uri: `file:${at("state")}` });
        while ((await control.execute("query-migrate", undefined)).status !== "completed") {
          await new Promise((resolve) => setTimeout(resolve, POLL_MS));
        }
        await control.execute("cont", undefined);
        await firstAnswer(`${guestAddress}:4270`, checkpoint.token, ANSWER_MS);
        return performance.now() - start;
      } finally {
        qemu.kill("SIGKILL");
        await qemu.status;
        await rm(disk, { force: true });
      }
    },
    [Symbol.asyncDispose]: () => release.disposeAsync(),
  };
}

async function command(
  program: string,
  args: string[],
  env: Record<string, string> = {},
): Promise<void> {
  const { success, stderr } = await new Deno.Command(program, { args, env, stdout: "null" })
    .output();
  if (!success) throw new Error(`${program} failed: ${new TextDecoder().decode(stderr).trim()}`);
}
