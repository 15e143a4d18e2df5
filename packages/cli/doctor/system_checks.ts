import { mostThreads } from "@paddock/driver";
import { formatBytes } from "../format.ts";
import { type Check, missing, ok, warning } from "./check.ts";

export async function systemChecks(): Promise<Check[]> {
  return [
    await operatingSystem(),
    kernel(),
    rights(),
    await cgroups(),
    memory(),
    threads(),
    processors(),
  ];
}

async function operatingSystem(): Promise<Check> {
  const name = "system";
  if (Deno.build.os !== "linux") {
    return missing(name, Deno.build.os, "Sandboxes need Linux: Debian 12 or 13, or Ubuntu.");
  }
  const text = await Deno.readTextFile("/etc/os-release").catch(() => "");
  const field = (key: string) => new RegExp(`^${key}="?([^"\n]*)"?$`, "m").exec(text)?.[1] ?? "";
  const title = `${field("PRETTY_NAME") || "Linux"}, ${Deno.build.arch}`;
  const family = `${field("ID")} ${field("ID_LIKE")}`.split(/\s+/);
  if (family.includes("debian") || family.includes("ubuntu")) return ok(name, title);
  return warning(
    name,
    `${title}: setup knows Debian and Ubuntu`,
    "install gVisor (runsc), nftables, iproute2, mmdebstrap, tcc and e2fsprogs with your package manager",
  );
}

function kernel(): Check {
  const release = Deno.osRelease();
  const [major, minor] = release.split(".").map(Number);
  if (major > 4 || (major === 4 && minor >= 15)) return ok("kernel", release);
  return missing("kernel", `${release}: too old`, "use a kernel of at least 4.15");
}

function rights(): Check {
  const uid = Deno.uid();
  if (uid === 0) return ok("rights", "root");
  return missing("rights", `user ${uid}: sandboxes need root`, "sudo npx paddock doctor");
}

async function cgroups(): Promise<Check> {
  const needed = ["memory", "cpu", "pids"];
  const mounts = await Deno.readTextFile("/proc/self/mounts").catch(() => "");
  if (/ \/sys\/fs\/cgroup cgroup2 /.test(mounts)) {
    const present = (await Deno.readTextFile("/sys/fs/cgroup/cgroup.controllers").catch(() => ""))
      .trim().split(/\s+/);
    return judge("v2", needed.filter((controller) => !present.includes(controller)));
  }
  const mounted = [...mounts.matchAll(/^\S+ \S+ cgroup (\S+)/gm)]
    .flatMap((match) => match[1].split(","));
  if (mounted.length === 0) {
    return missing("cgroups", "none mounted", "mount -t cgroup2 none /sys/fs/cgroup");
  }
  return judge("v1", needed.filter((controller) => !mounted.includes(controller)));

  function judge(version: string, absent: string[]): Check {
    if (absent.length === 0) return ok("cgroups", `${version} with ${needed.join(", ")}`);
    const fix = absent.includes("memory")
      ? "boot with cgroup_enable=memory on the kernel's command line"
      : `enable ${absent.join(", ")} in the kernel`;
    return missing("cgroups", `${version} without ${absent.join(", ")}`, fix);
  }
}

function memory(): Check {
  const { total, available } = Deno.systemMemoryInfo();
  const text = `${formatBytes(available)} of ${formatBytes(total)} available`;
  // One sandbox of the default size must fit beside the daemon.
  if (available >= 768 * 1024 ** 2) return ok("memory", text);
  return warning("memory", text, "one default sandbox may take 512 MiB: free some memory");
}

/** What bounds the sandboxes of a host that has memory enough. */
function threads(): Check {
  const most = mostThreads();
  const text = `${most} at most; an idle sandbox on gVisor has some 80`;
  if (most >= 32_768) return ok("threads", text);
  return warning("threads", text, "sysctl -w kernel.pid_max=4194304");
}

function processors(): Check {
  return ok("cpus", String(navigator.hardwareConcurrency));
}
