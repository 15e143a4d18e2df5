import type { MethodInput, MethodName, MethodOutput } from "./methods.ts";

/** One call: what a published client is given, what the agent sees, and what both sides get back. */
export interface Sample {
  /** Input as a published client's code gives it to its schema, by `/api` version. */
  v2?: unknown;
  v3?: unknown;
  decoded: unknown;
  output: unknown;
  /** Output as the client sees it where that differs from `output`. */
  v2Output?: unknown;
  v3Output?: unknown;
  /** Client 0.10 does not know this field of the output yet. */
  since13?: string;
}

const bytes = new Uint8Array([0, 1, 2, 253, 254, 255]);
const date = new Date("2026-01-02T03:04:05.678Z");
const later = new Date("2027-06-07T08:09:10.011Z");
const info = {
  isFile: true,
  isDirectory: false,
  isSymlink: false,
  size: 6,
  mtime: date,
  atime: later,
  birthtime: date,
  ctime: date,
  mode: 0o100644,
  dev: 1,
  ino: 2,
  nlink: 1,
  uid: 1000,
  gid: 1000,
  rdev: 0,
  blksize: 4096,
  blocks: 8,
  isBlockDevice: false,
  isCharDevice: false,
  isFifo: false,
  isSocket: false,
};

function same(input: unknown, output: unknown = undefined): Sample {
  const sample: Sample = { v2: input, v3: input, decoded: input, output };
  return output === undefined ? { ...sample, v3Output: null } : sample;
}

const handle = { fileHandleId: 7 };
const piped = { stdout: "piped", stderr: "null" } as const;
const started = { pid: 12, stdoutStreamId: 2 ** 44 + 1, stderrStreamId: null };

type SampleOf<M extends MethodName> = Sample & {
  decoded: MethodInput<M>;
  output: MethodOutput<M>;
};

/** At least one call of every method that published clients have. */
export const samples: { [M in Exclude<MethodName, `paddock.${string}`>]: SampleOf<M>[] } = {
  abort: [same({ abortId: 0 })] as SampleOf<"abort">[],
  readFile: [
    same({ path: "/a" }, bytes),
    same({ path: "/a", abortId: 3 }, new Uint8Array(0)),
    {
      v2: { path: "/a", abortId: undefined },
      v3: { path: "/a", abortId: undefined },
      decoded: { path: "/a", abortId: undefined },
      output: bytes,
    },
  ] as SampleOf<"readFile">[],
  readTextFile: [same({ path: "ä.txt" }, "grüße \u0000 \u2028 🦕")] as SampleOf<"readTextFile">[],
  writeFile: [
    same({ path: "/a", content: bytes }),
    same({ path: "/a", contentStreamId: 0, options: { append: true, mode: 0o777 } }),
    same({ path: "/a", content: new Uint8Array(0), options: { create: false, createNew: true } }),
  ] as SampleOf<"writeFile">[],
  writeTextFile: [
    same({ path: "/a", content: "" }),
    same({ path: "/a", contentStreamId: 5, abortId: 1 }),
  ] as SampleOf<"writeTextFile">[],
  readDir: [
    same({ path: "." }, [{ name: "a", isFile: true, isDirectory: false, isSymlink: false }]),
    same({ path: "." }, []),
  ] as SampleOf<"readDir">[],
  remove: [
    same({ path: "/a" }),
    same({ path: "/a", options: { recursive: true } }),
  ] as SampleOf<"remove">[],
  mkdir: [
    same({ path: "/a", options: { recursive: true, mode: 0o700 } }),
  ] as SampleOf<"mkdir">[],
  rename: [same({ oldPath: "/a", newPath: "/b" })] as SampleOf<"rename">[],
  stat: [same({ path: "/a" }, info)] as SampleOf<"stat">[],
  lstat: [same({ path: "/a" }, info)] as SampleOf<"lstat">[],
  chmod: [same({ path: "/a", mode: 0o644 })] as SampleOf<"chmod">[],
  chown: [
    same({ path: "/a", uid: 1000, gid: null }),
    same({ path: "/a", uid: null, gid: 0 }),
  ] as SampleOf<"chown">[],
  copyFile: [same({ fromPath: "/a", toPath: "/b" })] as SampleOf<"copyFile">[],
  link: [same({ target: "/a", path: "/b" })] as SampleOf<"link">[],
  symlink: [
    same({ target: "/a", path: "/b" }),
    same({ target: "/a", path: "/b", options: { type: "dir" } }),
  ] as SampleOf<"symlink">[],
  readLink: [same({ path: "/a" }, "/b")] as SampleOf<"readLink">[],
  realPath: [same({ path: "/a" }, "/b")] as SampleOf<"realPath">[],
  makeTempDir: [
    same({}, "/tmp/x"),
    same({ options: { dir: "/tmp", prefix: "a", suffix: "b" } }, "/tmp/axb"),
  ] as SampleOf<"makeTempDir">[],
  makeTempFile: [same({ options: {} }, "/tmp/x")] as SampleOf<"makeTempFile">[],
  truncate: [
    {
      v2: { name: "/a", len: 3 },
      v3: { name: "/a", length: 3 },
      decoded: { name: "/a", length: 3 },
      output: undefined,
      v3Output: null,
    },
    same({ name: "/a" }),
  ] as SampleOf<"truncate">[],
  umask: [same({}, 0o022), same({ mask: 0o077 }, 0o022)] as SampleOf<"umask">[],
  utime: [
    same({ path: "/a", atime: date, mtime: later }),
    {
      v2: { path: "/a", atime: 1.5, mtime: 0 },
      decoded: { path: "/a", atime: new Date(1500), mtime: new Date(0) },
      output: undefined,
    },
  ] as SampleOf<"utime">[],
  walk: [
    {
      v3: { path: ".", maxDepth: 2, match: [/a+/gi], skip: [/\/node_modules\//], exts: [".ts"] },
      decoded: {
        path: ".",
        maxDepth: 2,
        match: [/a+/gi],
        skip: [/\/node_modules\//],
        exts: [".ts"],
      },
      output: { streamId: 1 },
    },
    { v3: { path: "." }, decoded: { path: "." }, output: { streamId: 1 } },
  ] as SampleOf<"walk">[],
  expandGlob: [
    {
      v3: { glob: "**/*.ts", root: "/a", exclude: ["b"], includeDirs: false },
      decoded: { glob: "**/*.ts", root: "/a", exclude: ["b"], includeDirs: false },
      output: { streamId: 1 },
    },
  ] as SampleOf<"expandGlob">[],
  open: [
    same({ path: "/a" }, handle),
    same({ path: "/a", options: { read: true, truncate: false, mode: 0o600 } }, handle),
  ] as SampleOf<"open">[],
  create: [same({ path: "/a" }, handle)] as SampleOf<"create">[],
  fileClose: [same(handle)] as SampleOf<"fileClose">[],
  fileLock: [same(handle), same({ ...handle, exclusive: true })] as SampleOf<"fileLock">[],
  fileUnlock: [same(handle)] as SampleOf<"fileUnlock">[],
  fileRead: [
    same({ ...handle, length: 65_536 }, { data: bytes }),
    same({ ...handle, length: 0 }, { data: null }),
  ] as SampleOf<"fileRead">[],
  fileWrite: [same({ ...handle, data: bytes }, { bytesWritten: 6 })] as SampleOf<"fileWrite">[],
  fileSeek: [
    same({ ...handle, offset: -3, whence: 2 }, { position: 4 }),
    same({ ...handle, offset: 2n ** 60n, whence: 0 }, { position: 4 }),
    same({ ...handle, offset: -7n, whence: 1 }, { position: 0 }),
  ] as SampleOf<"fileSeek">[],
  fileStat: [same(handle, info)] as SampleOf<"fileStat">[],
  fileSync: [same(handle)] as SampleOf<"fileSync">[],
  fileSyncData: [same(handle)] as SampleOf<"fileSyncData">[],
  fileTruncate: [same({ ...handle, len: 2 }), same(handle)] as SampleOf<"fileTruncate">[],
  fileUtime: [
    same({ ...handle, atime: date, mtime: later }),
    {
      v2: { ...handle, atime: 0, mtime: later },
      decoded: { ...handle, atime: new Date(0), mtime: later },
      output: undefined,
    },
  ] as SampleOf<"fileUtime">[],
  spawn: [
    same({ command: "ls", ...piped }, started),
    same({
      command: "ls",
      args: ["-l", ""],
      env: { A: "1", B: "" },
      clearEnv: true,
      cwd: "/tmp",
      stdinStreamId: 0,
      ...piped,
    }, started),
  ] as SampleOf<"spawn">[],
  processWait: [
    {
      ...same({ pid: 3 }, { success: false, code: 137, signal: "SIGKILL", oom: "high-confidence" }),
      since13: "oom",
      v2Output: { success: false, code: 137, signal: "SIGKILL" },
    },
    {
      ...same({ pid: 3, vscode: true }, { success: true, code: 0, signal: null, oom: null }),
      since13: "oom",
      v2Output: { success: true, code: 0, signal: null },
    },
  ] as SampleOf<"processWait">[],
  processKill: [
    same({ pid: 3 }),
    same({ pid: 3, signal: "SIGINT", vscode: true }),
  ] as SampleOf<"processKill">[],
  spawnDeno: [
    {
      ...same({ code: "1", extension: "ts", ...piped }, { ...started, watcherId: null }),
      v2Output: started,
      since13: "watcherId",
    },
    {
      v3: { entrypoint: "main.ts", watch: ["a", "b"], scriptArgs: ["x"], ...piped },
      decoded: { entrypoint: "main.ts", watch: ["a", "b"], scriptArgs: ["x"], ...piped },
      output: { ...started, watcherId: "w1" },
      since13: "watcherId",
    },
    {
      v3: { entrypoint: "main.ts", watch: true, ...piped },
      decoded: { entrypoint: "main.ts", watch: true, ...piped },
      output: { ...started, watcherId: "w1" },
      since13: "watcherId",
    },
  ] as SampleOf<"spawnDeno">[],
  denoHttpWait: [same({ pid: 1 }, true)] as SampleOf<"denoHttpWait">[],
  spawnDenoRepl: [
    same({ scriptArgs: [], env: {}, ...piped }, started),
  ] as SampleOf<"spawnDenoRepl">[],
  denoReplClose: [same({ pid: 1 })] as SampleOf<"denoReplClose">[],
  denoReplEval: [
    same({ pid: 1, code: "1 + 1" }, 2),
    same({ pid: 1, code: "x" }, { a: [1, "two", null, true, { b: {} }] }),
    {
      v2: { pid: 1, code: "" },
      v3: { pid: 1, code: "" },
      decoded: { pid: 1, code: "" },
      output: undefined,
      v3Output: null,
    },
  ] as SampleOf<"denoReplEval">[],
  denoReplCall: [
    same({ pid: 1, fn: "f", args: [1, "a", { b: [null] }] }, "ok"),
    same({ pid: 1, fn: "f", args: [] }, null),
  ] as SampleOf<"denoReplCall">[],
  fetch: [
    {
      v2: { url: "http://a/", method: "GET", headers: [], redirect: "follow", bodyStreamId: null },
      v3: { url: "http://a/", method: "GET", headers: [], redirect: "follow" },
      decoded: {
        url: "http://a/",
        method: "GET",
        headers: [],
        redirect: "follow",
        bodyStreamId: undefined,
      },
      output: { status: 204, statusText: "", headers: [], bodyStreamId: null },
    },
    same({
      url: "http://a/",
      method: "POST",
      headers: [["a", "b"], ["a", "c"]],
      redirect: "manual",
      abortId: 0,
      bodyStreamId: 0,
      pid: 9,
    }, { status: 200, statusText: "OK", headers: [["x", "y"]], bodyStreamId: 0 }),
  ] as SampleOf<"fetch">[],
  exposeHttp: [
    same({ domain: "x.example", port: 8000 }),
    same({ domain: "x.example", pid: 4 }),
  ] as SampleOf<"exposeHttp">[],
  vscode: [
    same({
      path: "/home/app",
      extensions: ["a.b"],
      env: { A: "b" },
      preview: "http://localhost",
      disableStopButton: true,
      editorSettings: { "editor.fontSize": 12, nested: { a: [1] } },
    }, { pid: 3, port: 8080, stdoutStreamId: 1, stderrStreamId: 2 }),
  ] as SampleOf<"vscode">[],
  envGet: [
    same({ key: "A" }, "b"),
    { ...same({ key: "A" }), v3Output: undefined },
  ] as SampleOf<"envGet">[],
  envSet: [same({ key: "A", value: "" })] as SampleOf<"envSet">[],
  envToObject: [same({}, { A: "b", "with space": "c" })] as SampleOf<"envToObject">[],
  envDelete: [same({ key: "A" })] as SampleOf<"envDelete">[],
};

/** Absent and undefined fields are one. */
export function withoutUndefined(value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  if (Object.getPrototypeOf(value) !== Object.prototype) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, inner]) => inner !== undefined)
      .map(([key, inner]) => [key, withoutUndefined(inner)]),
  );
}
