import { childCgroups } from "@paddock/driver";

/**
 * Everything on the host that belongs to the engines of one data directory, one line each. Other
 * Paddocks may run beside it and do not show up here.
 */
export async function leftovers(dataDir: string): Promise<string[]> {
  const hash = await hashOf(dataDir);
  const prefix = `pk${hash.slice(0, 6)}`;
  const found: string[] = [];
  for (const directory of ["/run/netns", "/sys/class/net"]) {
    for (const name of names(directory)) {
      if (name.startsWith(`${prefix}_`)) found.push(`${directory}/${name}`);
    }
  }
  for (const name of names("/run/paddock/slots")) {
    if (text(`/run/paddock/slots/${name}`).includes(`"${prefix}_`)) found.push(`slot ${name}`);
  }
  for (const name of childCgroups("paddock")) if (name === hash) found.push(`cgroup ${name}`);
  for (const name of names("/sys/block")) {
    const backing = text(`/sys/block/${name}/loop/backing_file`);
    if (backing.startsWith(`${dataDir}/`)) found.push(`loop device ${name} of ${backing}`);
  }
  for (const pid of names("/proc").filter((name) => /^\d+$/.test(name))) {
    if (Number(pid) === Deno.pid) continue;
    const command = text(`/proc/${pid}/cmdline`).replaceAll("\0", " ");
    if (command.includes(`${dataDir}/`) || text(`/proc/${pid}/cgroup`).includes(hash)) {
      found.push(`process ${pid}: ${command.slice(0, 100)}`);
    }
    if (text(`/proc/${pid}/mounts`).includes(`${dataDir}/`)) found.push(`mounts of process ${pid}`);
  }
  const tables = await new Deno.Command("nft", { args: ["list", "tables"] }).output();
  if (new TextDecoder().decode(tables.stdout).includes(`paddock_${prefix}`)) {
    found.push("nft table");
  }
  for (const directory of ["sandboxes", "disks", "gvisor/machines", "gvisor/runsc"]) {
    found.push(...names(`${dataDir}/${directory}`).map((name) => `file ${directory}/${name}`));
  }
  return found;
}

/** Names of what one engine has on the host, to tell that the check sees them. */
async function hashOf(dataDir: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(dataDir));
  return new Uint8Array(digest).slice(0, 4).toHex();
}

function names(directory: string): string[] {
  try {
    return [...Deno.readDirSync(directory)].map(({ name }) => name);
  } catch {
    return [];
  }
}

function text(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return "";
  }
}
