import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { PaddockError } from "@paddock/protocol";
import { runCommand } from "@paddock/driver";
import { versionIn, versionProblem } from "./_version.ts";

/** Programs of one version, as `paddock setup firecracker` puts them below the data directory. */
export interface FirecrackerInstallation {
  version: string;
  firecracker: string;
  jailer: string;
  /** Of both files, as they were installed. */
  sha256: { firecracker: string; jailer: string };
  /** Where they came from, in words. */
  source: string;
}

const noteSchema = z.strictObject({
  version: z.string(),
  sha256: z.strictObject({ firecracker: z.string(), jailer: z.string() }),
  source: z.string(),
});

const NOTE = "installation.json";
const PROGRAMS = { firecracker: "Firecracker", jailer: "Jailer" } as const;
type Program = keyof typeof PROGRAMS;

/** `firecracker/firecracker, jailer, installation.json` below the data directory. */
function placeIn(dataDir: string): string {
  return join(dataDir, "firecracker");
}

/** Where the programs are once they are installed, as the driver takes them. */
export function installedPrograms(
  dataDir: string,
): { firecrackerPath: string; jailerPath: string } {
  const { firecracker, jailer } = programsIn(placeIn(dataDir));
  return { firecrackerPath: firecracker, jailerPath: jailer };
}

/** What is installed, or undefined. That the files are what was installed is the probe's business. */
export async function findFirecracker(
  dataDir: string,
): Promise<FirecrackerInstallation | undefined> {
  const place = placeIn(dataDir);
  let text: string;
  try {
    text = await Deno.readTextFile(join(place, NOTE));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
  return { ...noteSchema.parse(JSON.parse(text)), ...programsIn(place) };
}

export interface InstallOptions {
  dataDir: string;
  firecracker: string;
  jailer: string;
  source: string;
  signal: AbortSignal;
}

/**
 * Installs two programs after a look at each: that it runs, says what it is, is of a version that the
 * driver speaks with, and both of the same one. What was installed before stays until they are.
 */
export async function installFirecracker(
  options: InstallOptions,
): Promise<FirecrackerInstallation> {
  const { dataDir, signal } = options;
  const place = placeIn(dataDir);
  await Deno.mkdir(dataDir, { recursive: true, mode: 0o700 });
  const temporary = await Deno.makeTempDir({ dir: dataDir, prefix: ".firecracker-" });
  await using stack = new AsyncDisposableStack();
  stack.defer(() => removeIfPresent(temporary));
  const copies = programsIn(temporary);
  const versions: string[] = [];
  const sha256 = { firecracker: "", jailer: "" };
  for (const program of Object.keys(PROGRAMS) as Program[]) {
    await copyProgram(options[program], copies[program]);
    sha256[program] = await sha256Of(copies[program]);
    versions.push(await versionOf(program, copies[program], options[program], signal));
  }
  const [version, ofJailer] = versions;
  if (version !== ofJailer) {
    throw refused(
      `Firecracker is ${version} and its jailer ${ofJailer}: both must be of one version`,
    );
  }
  const problem = versionProblem(version);
  if (problem) throw refused(problem.replace(/\.$/, ""));
  const note = { version, sha256, source: options.source };
  await Deno.writeTextFile(join(temporary, NOTE), JSON.stringify(note, null, 2) + "\n");
  await Deno.chmod(temporary, 0o755);
  // A directory cannot be renamed over another one: for a moment there is none.
  const old = `${temporary}-old`;
  stack.defer(() => removeIfPresent(old));
  await Deno.rename(place, old).catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  });
  await Deno.rename(temporary, place);
  return (await findFirecracker(dataDir))!;
}

function programsIn(directory: string) {
  return { firecracker: join(directory, "firecracker"), jailer: join(directory, "jailer") };
}

async function copyProgram(from: string, to: string): Promise<void> {
  try {
    if (!(await Deno.stat(from)).isFile) throw new Error("it is not a file");
    await Deno.copyFile(from, to);
    await Deno.chmod(to, 0o755);
  } catch (cause) {
    throw refused(`${from} cannot be read: ${(cause as Error).message}`, cause);
  }
}

async function versionOf(
  program: Program,
  path: string,
  from: string,
  signal: AbortSignal,
): Promise<string> {
  const said = await runCommand([path, "--version"], { signal }).catch((cause) => {
    signal.throwIfAborted();
    throw refused(`${from} does not run: ${cause.message}`, cause);
  });
  const version = versionIn(said.stdout, PROGRAMS[program]);
  if (version === undefined) {
    throw refused(`${from} is not ${PROGRAMS[program]}: it does not say its version`);
  }
  return version;
}

export async function sha256Of(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path)) hash.update(chunk as Uint8Array);
  return hash.digest("hex");
}

export function refused(why: string, cause?: unknown): PaddockError {
  return new PaddockError("DRIVER_FAILED", {
    message: `Firecracker was not installed: ${why}.`,
    cause,
  });
}

async function removeIfPresent(path: string): Promise<void> {
  await Deno.remove(path, { recursive: true }).catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  });
}
