import type { MethodInput } from "@paddock/protocol";
import { toPath } from "./_path.ts";
import type { SpawnOptions } from "./child_process_types.ts";
import type { Connection } from "./connection.ts";
import { DenoProcess } from "./deno_process.ts";
import { DenoRepl } from "./deno_repl.ts";
import type { Link } from "./link.ts";
import { startChild } from "./start_child.ts";

export type CodeExtension = "js" | "cjs" | "mjs" | "ts" | "cts" | "mts" | "jsx" | "tsx";

/** A program for `sandbox.deno.run`: a file in the sandbox, or code. */
export type DenoRunOptions =
  & (
    | {
      /** Path of the program in the sandbox. */
      entrypoint: string | URL;
      /** Restart the program when its files, or these files, change. */
      watch?: boolean | string[];
    }
    | {
      code: string;
      /** What kind of code it is. Default: `"ts"`. */
      extension?: CodeExtension;
    }
  )
  & {
    /** `Deno.args` of the program. */
    scriptArgs?: string[];
  }
  & Omit<SpawnOptions, "args">;

export type DenoReplOptions = {
  /** `Deno.args` in the REPL. */
  scriptArgs?: string[];
} & Omit<SpawnOptions, "args">;

/** Deno in the sandbox. */
export interface SandboxDeno {
  /**
   * Runs a Deno program to its end.
   *
   * ```ts
   * const server = await sandbox.deno.run({
   *   code: "Deno.serve(() => new Response('hello'))",
   * });
   * if (await server.httpReady) console.log(await (await server.fetch("http://x/")).text());
   * ```
   */
  run(options: DenoRunOptions): Promise<DenoProcess>;
  /**
   * Evaluates code in a new REPL and returns the value of its last expression: `Map`, `Set`, `Date`,
   * `BigInt`, typed arrays, cycles and so on as what they are. An exception is thrown here as what it
   * was there.
   *
   * ```ts
   * await sandbox.deno.eval<number>("const x: number = 20; x + 1"); // 21
   * ```
   */
  eval<T = unknown>(code: string, options?: { signal?: AbortSignal }): Promise<T>;
  /** Opens a REPL, which keeps its variables from one evaluation to the next. */
  repl(options?: DenoReplOptions): Promise<DenoRepl>;
}

export function createDeno(link: Link): SandboxDeno {
  const openRepl = (
    options: DenoReplOptions,
    evaluate?: MethodInput<"spawnDenoRepl">["evaluate"],
    asked?: (connection: Connection) => void,
  ) =>
    startChild(
      link,
      "spawnDenoRepl",
      { scriptArgs: options.scriptArgs, evaluate },
      options,
      (init) => new DenoRepl(init, link),
      asked,
    );
  const deno: SandboxDeno = {
    run(options) {
      const program = "entrypoint" in options
        ? { entrypoint: toPath(options.entrypoint), watch: options.watch }
        : { code: options.code, extension: options.extension ?? "ts" };
      return startChild(
        link,
        "spawnDeno",
        { ...program, scriptArgs: options.scriptArgs },
        options,
        (init, { watcherId }, connection) => {
          const child = new DenoProcess(init);
          if (watcherId !== null) {
            const forget = connection.onWatcherRestart(watcherId, () => {
              child.dispatchEvent(new Event("restart"));
            });
            child.status.then(forget, forget);
          }
          return child;
        },
      );
    },

    async eval<T>(code: string, options: { signal?: AbortSignal } = {}) {
      const { isPaddock } = await link.connection(options.signal);
      // The code travels with the request for the REPL, and the one for its value right behind it.
      const evaluate = isPaddock ? { code, ticket: crypto.randomUUID() } : undefined;
      let value: Promise<unknown> | undefined;
      const askForValue = evaluate && ((connection: Connection) => {
        const { ticket } = evaluate;
        value = connection.call("paddock.evaluated", { ticket }, options);
        value.catch(() => {});
      });
      const repl = await openRepl(options, evaluate, askForValue);
      try {
        return await (value ?? repl.eval(code, options)) as T;
      } finally {
        // The value is there: nobody has to wait for the end of what made it.
        repl.close().catch(() => {});
      }
    },

    repl: (options = {}) => openRepl(options),
  };
  return deno;
}
