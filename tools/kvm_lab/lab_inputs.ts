import { cpioArchive, type CpioEntry } from "../../packages/driver/vm/cpio_archive.ts";

export interface LabBinaries {
  firecracker: string;
  jailer: string;
}

const caBundle = "/etc/ssl/certs/ca-certificates.crt";
const needed = ["qemu-system-x86_64", "mmdebstrap", "mkfs.erofs", "mkfs.ext4", "xz"];

/** The binaries that the lab is given, or why it cannot run here. */
export function labBinaries(): LabBinaries | { reason: string } {
  if (Deno.uid() !== 0) return { reason: "the lab needs root" };
  const [firecracker, jailer] = ["PADDOCK_FIRECRACKER", "PADDOCK_JAILER"].map((name) =>
    Deno.env.get(name)
  );
  if (!firecracker || !jailer) {
    return {
      reason: "PADDOCK_FIRECRACKER and PADDOCK_JAILER do not name the binaries to run in it",
    };
  }
  for (const path of [firecracker, jailer]) {
    if (!isFile(path)) return { reason: `there is no ${path}` };
  }
  const folders = (Deno.env.get("PATH") ?? "").split(":");
  const missing = needed.filter((name) => !folders.some((folder) => isFile(`${folder}/${name}`)));
  if (missing.length > 0) return { reason: `this host has no ${missing.join(", ")}` };
  return { firecracker, jailer };
}

/** What the lab's first stage copies to /lab: the command of this run and what it runs with. */
export async function labFiles(
  { binaries, command, env }: {
    binaries: LabBinaries;
    command: string[];
    env: Record<string, string>;
  },
): Promise<Uint8Array<ArrayBuffer>> {
  const script = [
    ...Object.entries(env).map(([name, value]) => `export ${name}=${quoted(value)}`),
    `exec ${command.map(quoted).join(" ")}`,
  ].join("\n");
  const entries: CpioEntry[] = [
    file("command", new TextEncoder().encode(`${script}\n`)),
    file("second_stage", await Deno.readFile(new URL("guest/second_stage", import.meta.url))),
    file("firecracker", await Deno.readFile(binaries.firecracker), 0o755),
    file("jailer", await Deno.readFile(binaries.jailer), 0o755),
  ];
  if (isFile(caBundle)) {
    // The guest image is named after it, among others.
    entries.push(file("ca-certificates.crt", await Deno.readFile(caBundle), 0o644));
  }
  return cpioArchive(entries);
}

function file(name: string, content: Uint8Array, mode = 0o600): CpioEntry {
  return { path: `lab/${name}`, mode: 0o100000 | mode, content };
}

function quoted(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}
