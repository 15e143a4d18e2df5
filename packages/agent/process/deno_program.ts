import { below } from "../fs/paths.ts";

/** Flags of `deno run` for a program that a client runs. */
export function denoRunArgs(options: {
  entrypoint: string;
  watch?: boolean | string[];
  scriptArgs?: string[];
}): string[] {
  const { entrypoint, watch, scriptArgs = [] } = options;
  const watchFlags = Array.isArray(watch)
    ? [watch.length > 0 ? `--watch=${watch.join(",")}` : "--watch"]
    : watch
    ? ["--watch"]
    : [];
  // A name that starts with a dash would be taken for a flag.
  const script = entrypoint.startsWith("-") ? `./${entrypoint}` : entrypoint;
  return ["run", "-A", ...watchFlags, script, ...scriptArgs];
}

export interface ScriptFile {
  path: string;
  remove(): Promise<void>;
}

/**
 * Code in a file of its own in the program's directory, where its relative imports and its
 * configuration are found; in the temporary directory when that is not writable.
 */
export async function writeScript(
  code: string,
  extension: string,
  cwd: string,
): Promise<ScriptFile> {
  const name = `.paddock_${crypto.randomUUID().slice(0, 8)}.${extension}`;
  for (const directory of [cwd, "/tmp"]) {
    const path = below(directory, name);
    try {
      await Deno.writeTextFile(path, code, { createNew: true, mode: 0o644 });
    } catch (error) {
      const elsewhere = error instanceof Deno.errors.PermissionDenied ||
        error instanceof Deno.errors.NotCapable;
      if (elsewhere && directory !== "/tmp") continue;
      throw error;
    }
    return { path, remove: () => Deno.remove(path).catch(() => {}) };
  }
  throw new Error("unreachable");
}

const RESTART = /Watcher[^\n]*Restarting!/;

/** Passes output on, and calls back for each line with which `deno run --watch` says it restarts. */
export function watchRestarts(
  output: ReadableStream<Uint8Array>,
  onRestart: () => void,
): ReadableStream<Uint8Array> {
  const decoder = new TextDecoder();
  let line = "";
  return output.pipeThrough(
    new TransformStream({
      transform(chunk, controller) {
        const lines = (line + decoder.decode(chunk, { stream: true })).split("\n");
        line = lines.pop()!.slice(-4096);
        for (const each of lines) if (RESTART.test(each)) onRestart();
        controller.enqueue(chunk);
      },
    }),
  );
}
