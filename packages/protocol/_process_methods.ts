import type { Kit } from "./kit.ts";

const pid = (k: Kit) => k.object({ pid: k.id });
const key = (k: Kit) => k.object({ key: k.string });
const startOptions = (k: Kit) => ({
  env: k.optional(k.stringMap),
  clearEnv: k.optional(k.boolean),
  cwd: k.optional(k.path),
  stdinStreamId: k.optional(k.id),
  stdout: k.oneOf(["piped", "null"]),
  stderr: k.oneOf(["piped", "null"]),
});
const started = (k: Kit) => ({
  pid: k.id,
  stdoutStreamId: k.nullable(k.id),
  stderrStreamId: k.nullable(k.id),
});
const EXTENSIONS = ["js", "cjs", "mjs", "ts", "cts", "mts", "jsx", "tsx"] as const;

/** Commands, Deno programs and REPLs. */
export const processMethods = {
  spawn: (k: Kit) => ({
    input: k.object({
      command: k.path,
      args: k.optional(k.list(k.string)),
      ...startOptions(k),
    }),
    output: k.object(started(k)),
  }),
  processWait: (k: Kit) => ({
    input: k.object({ pid: k.id, vscode: k.optional(k.boolean) }),
    output: k.object({
      success: k.boolean,
      code: k.number,
      signal: k.nullable(k.string),
      oom: k.nullable(k.oneOf(["high-confidence", "low-confidence"])),
    }),
  }),
  processKill: (k: Kit) => ({
    input: k.object({
      pid: k.id,
      signal: k.optional(k.string),
      vscode: k.optional(k.boolean),
    }),
    output: k.nothing,
  }),
  spawnDeno: (k: Kit) => {
    const options = { ...startOptions(k), scriptArgs: k.optional(k.list(k.string)) };
    return {
      input: k.either(
        k.object({
          ...options,
          entrypoint: k.path,
          watch: k.optional(k.either(k.boolean, k.list(k.path))),
        }),
        k.object({ ...options, code: k.string, extension: k.oneOf(EXTENSIONS) }),
      ),
      output: k.object({ ...started(k), watcherId: k.nullable(k.string) }),
    };
  },
  /** True once the program serves HTTP, false when it ends before. */
  denoHttpWait: (k: Kit) => ({ input: pid(k), output: k.boolean }),
  spawnDenoRepl: (k: Kit) => ({
    input: k.object({
      ...startOptions(k),
      scriptArgs: k.optional(k.list(k.string)),
      /** Code to evaluate at once, and what `paddock.evaluated` will call it. Ours. */
      evaluate: k.optional(k.object({ code: k.string, ticket: k.string })),
    }),
    output: k.object(started(k)),
  }),
  denoReplClose: (k: Kit) => ({ input: pid(k), output: k.nothing }),
  denoReplEval: (k: Kit) => ({
    input: k.object({ pid: k.id, code: k.string }),
    output: k.value,
  }),
  /** The value of what `spawnDenoRepl` was given to evaluate; it is had once. Ours. */
  "paddock.evaluated": (k: Kit) => ({
    input: k.object({ ticket: k.string }),
    output: k.value,
  }),
  denoReplCall: (k: Kit) => ({
    input: k.object({ pid: k.id, fn: k.string, args: k.values }),
    output: k.value,
  }),
  /** Starts the leader of a session with a terminal of its own. Ours. */
  "paddock.spawnPty": (k: Kit) => ({
    input: k.object({
      command: k.path,
      args: k.optional(k.list(k.string)),
      env: k.optional(k.stringMap),
      clearEnv: k.optional(k.boolean),
      cwd: k.optional(k.path),
      columns: k.terminalSize,
      rows: k.terminalSize,
      /** The value of TERM unless `env` has one. */
      term: k.optional(k.string),
      stdinStreamId: k.id,
    }),
    output: k.object({ pid: k.id, outputStreamId: k.id }),
  }),
  "paddock.resizePty": (k: Kit) => ({
    input: k.object({ pid: k.id, columns: k.terminalSize, rows: k.terminalSize }),
    output: k.nothing,
  }),
};

/** Network, environment, and the rest. */
export const serviceMethods = {
  abort: (k: Kit) => ({ input: k.object({ abortId: k.id }), output: k.nothing }),
  fetch: (k: Kit) => ({
    input: k.object({
      url: k.string,
      method: k.string,
      headers: k.headers,
      redirect: k.oneOf(["follow", "manual"]),
      abortId: k.optional(k.id),
      bodyStreamId: k.optional(k.id),
      pid: k.optional(k.id),
    }),
    output: k.object({
      status: k.number,
      statusText: k.string,
      headers: k.headers,
      bodyStreamId: k.nullable(k.id),
    }),
  }),
  exposeHttp: (k: Kit) => ({
    input: k.either(
      k.object({ domain: k.string, port: k.port }),
      k.object({ domain: k.string, pid: k.id }),
    ),
    output: k.nothing,
  }),
  vscode: (k: Kit) => ({
    input: k.object({
      path: k.path,
      extensions: k.list(k.string),
      env: k.optional(k.stringMap),
      preview: k.optional(k.string),
      disableStopButton: k.optional(k.boolean),
      editorSettings: k.optional(k.json),
    }),
    output: k.object({
      pid: k.id,
      port: k.number,
      stdoutStreamId: k.id,
      stderrStreamId: k.id,
    }),
  }),
  envGet: (k: Kit) => ({ input: key(k), output: k.optional(k.string) }),
  envSet: (k: Kit) => ({
    input: k.object({ key: k.string, value: k.string }),
    output: k.nothing,
  }),
  envToObject: (k: Kit) => ({ input: k.object({}), output: k.stringMap }),
  envDelete: (k: Kit) => ({ input: key(k), output: k.nothing }),
  /** What answers at the other end. Ours. */
  "paddock.info": (k: Kit) => ({
    input: k.object({}),
    output: k.object({
      version: k.string,
      sandboxId: k.string,
      region: k.string,
      memoryBytes: k.number,
    }),
  }),
};
