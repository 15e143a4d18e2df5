import { dirname } from "node:path";
import { VIEW } from "./machine_arguments.ts";

/** The files on the host that QEMU is to see, by their place in its view. */
export interface ViewFiles {
  readOnly: Record<string, string>;
  writable: Record<string, string>;
}

export interface MachineView {
  root: string;
  fstab: string;
}

const LIBRARIES = ["/usr/lib", "/usr/lib64"];
/** Firmware: QEMU's own directory has links into the others. */
const FIRMWARE = ["/usr/share/qemu", "/usr/share/seabios"];
export const QEMU_IN_VIEW = "/qemu";

/** Lays out QEMU's root directory below `workDir`: mount points only, and the table of what goes where. */
export function writeView(workDir: string, qemu: string, files: ViewFiles): MachineView {
  const root = `${workDir}/root`;
  const lines: string[][] = [];
  const bind = (from: string, to: string, options: string, directory: boolean) => {
    Deno.mkdirSync(directory ? `${root}${to}` : dirname(`${root}${to}`), { recursive: true });
    if (!directory) Deno.writeFileSync(`${root}${to}`, new Uint8Array());
    lines.push([from, `${root}${to}`, "none", options]);
  };
  for (const path of [...LIBRARIES, ...FIRMWARE]) {
    if (isDirectory(path)) bind(path, path, "bind,ro,nosuid,nodev", true);
  }
  for (const name of ["lib", "lib64"]) Deno.symlinkSync(`usr/${name}`, `${root}/${name}`);
  bind(qemu, QEMU_IN_VIEW, "bind,ro,nosuid,nodev", false);
  for (const [to, from] of Object.entries(files.readOnly)) {
    bind(from, to, "bind,ro,nosuid,nodev,noexec", false);
  }
  for (const [to, from] of Object.entries(files.writable)) {
    bind(from, to, "bind,nosuid,nodev,noexec", to === VIEW.run);
  }
  Deno.mkdirSync(`${root}/dev`);
  lines.push(["paddock", `${root}/dev`, "tmpfs", "nosuid,noexec,mode=755,size=16k"]);
  const fstab = `${workDir}/fstab`;
  const text = lines.map((fields) => `${fields.map(escapeField).join(" ")} 0 0\n`).join("");
  Deno.writeTextFileSync(fstab, text, { mode: 0o600 });
  return { root, fstab };
}

function isDirectory(path: string): boolean {
  try {
    return Deno.statSync(path).isDirectory;
  } catch {
    return false;
  }
}

function escapeField(field: string): string {
  return field.replaceAll(
    /[\s\\]/g,
    (character) => `\\${character.charCodeAt(0).toString(8).padStart(3, "0")}`,
  );
}
