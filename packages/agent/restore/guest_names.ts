import type { GuestIdentity } from "@paddock/protocol";
import type { Libc } from "../identity/libc.ts";

type Names = Pick<GuestIdentity, "hostname" | "machineId" | "hosts" | "resolvConf">;

/** What the machine and others call it. Needs root. What cannot be written is told, not fatal. */
export function writeNames(libc: Libc | undefined, names: Names, log: (text: string) => void) {
  const files = {
    "/etc/hostname": `${names.hostname}\n`,
    "/etc/hosts": names.hosts,
    "/etc/resolv.conf": names.resolvConf,
    "/etc/machine-id": `${names.machineId}\n`,
  };
  for (const [path, text] of Object.entries(files)) {
    try {
      // Where the host shows a file of its own, it has said the same thing already.
      if (readIfThere(path) !== text) overwrite(path, text);
    } catch (error) {
      log(`${path} could not be written: ${error}`);
    }
  }
  if (libc && Deno.hostname() !== names.hostname && libc.setHostname(names.hostname) !== 0) {
    log("the host name could not be set");
  }
}

/** For a guest that boots. A root of its own may have one already. */
export function writeMachineId(machineId: string, log: (text: string) => void): void {
  try {
    if (!readIfThere("/etc/machine-id")) {
      Deno.writeTextFileSync("/etc/machine-id", `${machineId}\n`);
    }
  } catch (error) {
    log(`/etc/machine-id could not be written: ${error}`);
  }
}

/** In place: a file that is emptied first has its blocks given back and taken anew, which costs more. */
function overwrite(path: string, text: string): void {
  const bytes = new TextEncoder().encode(text);
  using file = Deno.openSync(path, { write: true, create: true });
  for (let at = 0; at < bytes.length;) at += file.writeSync(bytes.subarray(at));
  if (file.statSync().size > bytes.length) file.truncateSync(bytes.length);
}

function readIfThere(path: string): string | undefined {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return undefined;
  }
}
