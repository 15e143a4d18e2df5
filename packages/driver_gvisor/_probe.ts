import {
  type Capability,
  createDiskImage,
  missingCgroups,
  missingPrograms,
  type ProbeResult,
  runCommand,
} from "@paddock/driver";

export interface ProbeTarget {
  runsc: string;
  platform: string;
}

interface ProbeOutcome {
  result: ProbeResult;
  hideNetCore: boolean;
}

const CAPABILITIES: Capability[] = ["checkpoint", "pause", "fork"];

const RUN_DEADLINE_MS = 15_000;
const ANSWER = "paddock-probe-answer";
const DISK_BYTES = 64 * 1024 * 1024;
const PROGRAMS = {
  "mkfs.ext4": "e2fsprogs",
  mount: "mount",
  nsenter: "util-linux",
  unshare: "util-linux",
};

/** In namespaces of its own, with a disk of its own: the way `launch` does it. */
const SCRIPT = `set -eu
dir=$1 hide=$2
shift 2
mount --bind -o ro /usr "$dir/root/usr"
mount -o loop,noatime "$dir/disk.img" "$dir/disk"
ip link set lo up 2>/dev/null || true
if [ "$hide" = yes ]; then mount -t tmpfs -o ro,size=4k paddock /proc/sys/net/core; fi
exec "$@"`;

/** Runs a program of the host's own /usr in a container; nothing less shows that it works. */
export async function probeGvisor(
  target: ProbeTarget,
  signal: AbortSignal,
): Promise<ProbeOutcome> {
  const result: ProbeResult = {
    driver: "gvisor",
    works: false,
    problems: [],
    capabilities: CAPABILITIES,
  };
  try {
    if (Deno.uid() !== 0) {
      result.problems.push("Sandboxes need root: run this with sudo.");
      return { result, hideNetCore: false };
    }
    result.version = await runscVersion(target.runsc, signal);
    if (result.version === undefined) {
      result.problems.push(
        `There is no ${target.runsc} on this host: install runsc (npm run setup does).`,
      );
    }
    result.problems.push(...await missingPrograms(PROGRAMS, signal), ...missingCgroups());
    if (result.problems.length > 0) return { result, hideNetCore: false };
    return await runContainers(target, result, signal);
  } catch (error) {
    result.problems.push(`The probe failed: ${(error as Error).message}`);
    return { result, hideNetCore: false };
  }
}

async function runContainers(
  target: ProbeTarget,
  result: ProbeResult,
  signal: AbortSignal,
): Promise<ProbeOutcome> {
  const dir = await Deno.makeTempDir({ prefix: "paddock-probe-" });
  try {
    await writeProbe(dir, signal);
    let said = "";
    for (const hideNetCore of [false, true]) {
      const run = await runCommand(command(target, dir, hideNetCore), {
        signal,
        deadlineMs: RUN_DEADLINE_MS,
      });
      if (run.ok && run.stdout.includes(ANSWER)) {
        result.works = true;
        return { result, hideNetCore };
      }
      said = run.stderr || run.stdout.slice(-500) || `exit code ${run.code}`;
    }
    result.problems.push(`runsc could not run a container: ${said}`);
    return { result, hideNetCore: false };
  } finally {
    await Deno.remove(dir, { recursive: true }).catch(() => {});
  }
}

function command(target: ProbeTarget, dir: string, hideNetCore: boolean): string[] {
  // Each attempt has a container id and a state directory of its own.
  const attempt = hideNetCore ? "probe-2" : "probe-1";
  return [
    ...["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"],
    ...["--propagation", "slave", "--", "sh", "-c", SCRIPT, "paddock-probe"],
    ...[dir, hideNetCore ? "yes" : "no"],
    ...[target.runsc, "--root", `${dir}/${attempt}`, "--platform", target.platform],
    ...["--ignore-cgroups", "--net-disconnect-ok", `--overlay2=root:dir=${dir}/disk`],
    ...["run", "--bundle", dir, attempt],
  ];
}

async function writeProbe(dir: string, signal: AbortSignal): Promise<void> {
  for (const name of ["root", "root/usr", "disk"]) await Deno.mkdir(`${dir}/${name}`);
  for (const name of ["bin", "sbin", "lib", "lib32", "lib64"]) {
    await Deno.symlink(`usr/${name}`, `${dir}/root/${name}`);
  }
  await createDiskImage(`${dir}/disk.img`, DISK_BYTES, signal);
  const config = {
    ociVersion: "1.0.2",
    process: {
      terminal: false,
      user: { uid: 0, gid: 0 },
      args: ["/bin/echo", ANSWER],
      env: ["PATH=/usr/bin:/bin"],
      cwd: "/",
      capabilities: { bounding: [], effective: [], permitted: [], inheritable: [] },
    },
    root: { path: `${dir}/root`, readonly: false },
    hostname: "probe",
    mounts: [{ destination: "/proc", type: "proc", source: "proc" }],
    linux: { namespaces: ["pid", "ipc", "uts", "mount", "network"].map((type) => ({ type })) },
  };
  // Without a path, runsc would make a namespace of its own; the one it is started in is meant.
  config.linux.namespaces = config.linux.namespaces.map((namespace) =>
    namespace.type === "network" ? { type: "network", path: "/proc/self/ns/net" } : namespace
  );
  await Deno.writeTextFile(`${dir}/config.json`, JSON.stringify(config));
}

async function runscVersion(runsc: string, signal: AbortSignal): Promise<string | undefined> {
  try {
    const run = await runCommand([runsc, "--version"], { signal });
    return /runsc version (\S+)/.exec(run.stdout)?.[1] ?? (run.ok ? "unknown" : undefined);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
