import { below } from "../fs/paths.ts";
import { osError } from "../fs/os_error.ts";
import type { GuestProcess } from "../process/guest_process.ts";
import { sleepUntil } from "./sleep.ts";

/** What an editor in a sandbox with Deno is for. Installed when it can be had, missed without fuss. */
const DENO_EXTENSION = "denoland.vscode-deno";
const REACH_MS = 3_000;

export interface Extension {
  /** An id of the marketplace, or the absolute path of a package. */
  source: string;
  local: boolean;
}

/** What is to be installed. A package that is not there is an error of the call. */
export function chooseExtensions(asked: string[], cwd: string): Extension[] {
  const wanted = asked.map((source) => {
    if (!source.endsWith(".vsix")) return { source, local: false };
    const path = below(cwd, source);
    if (!isFile(path)) throw osError("ENOENT", `There is no extension package ${path}`);
    return { source: path, local: true };
  });
  const hasDeno = wanted.some(({ source }) => source.toLowerCase().includes(DENO_EXTENSION));
  return hasDeno ? wanted : [...wanted, { source: DENO_EXTENSION, local: false }];
}

export interface InstallOptions {
  extensions: Extension[];
  /** Address of the marketplace, when it is known. */
  marketplace: string | undefined;
  run(source: string): GuestProcess;
  say(line: string): void;
  /** The editor has ended, or it takes too long. */
  signal: AbortSignal;
}

/** Installs one after the other. What cannot be had is said, and the others are tried all the same. */
export async function installExtensions(options: InstallOptions): Promise<void> {
  const { extensions, marketplace, run, say, signal } = options;
  let reachable: boolean | undefined;
  for (const { source, local } of extensions) {
    if (signal.aborted) return;
    if (!local) reachable ??= marketplace === undefined || await canReach(marketplace, signal);
    if (!local && !reachable) {
      say(`[extensions] ${source} is not installed: the marketplace cannot be reached`);
      continue;
    }
    const process = run(source);
    const stop = () => process.kill("SIGKILL");
    signal.addEventListener("abort", stop, { once: true });
    const { success } = await process.status;
    signal.removeEventListener("abort", stop);
    if (!success) say(`[extensions] ${source} is not installed`);
  }
}

/** Anything that answers is reached. */
async function canReach(address: string, signal: AbortSignal): Promise<boolean> {
  const giveUp = new AbortController();
  void sleepUntil(REACH_MS, signal).then(() => giveUp.abort());
  try {
    const answer = await fetch(address, { method: "HEAD", signal: giveUp.signal });
    await answer.body?.cancel();
    return true;
  } catch {
    return false;
  }
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}
