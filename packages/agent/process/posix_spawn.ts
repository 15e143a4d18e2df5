import { osError } from "../fs/os_error.ts";
import type { Identity } from "../identity/identity.ts";
import { childExits } from "./child_exits.ts";
import { findProgram, notFound } from "./find_program.ts";
import type { SpawnedChild, SpawnOptions } from "./guest_process.ts";
import { readablePipe, writablePipe } from "./pipe_streams.ts";
import { Errno, type System, system } from "./system.ts";

/** Larger than either structure of glibc, whatever the machine. */
const ATTRIBUTES_BYTES = 512;
const FILE_ACTIONS_BYTES = 256;
const SIGNAL_SET_BYTES = 128;
const POINTER_BYTES = 8;

const Flags = { setSignalsToDefault: 0x04, setSignalMask: 0x08, newSession: 0x80 } as const;
const SIGPIPE = 13;
const O_CLOEXEC = 0o2000000;
const O_RDWR = 2;
const F_SETFL = 4;
const O_NONBLOCK = 0o4000;

export type PosixSpawnOptions = Omit<SpawnOptions, "kind">;

/**
 * Starts the leader of a new session. `Deno.Command` with a user or a session of its own copies the
 * agent's whole address space to do so, which in a guest takes longer than most commands run;
 * `posix_spawn` borrows it. Throws Deno's error classes.
 */
export function posixSpawn(identity: Identity, options: PosixSpawnOptions): SpawnedChild {
  const calls = system();
  const { command, args, env, cwd, fds, terminal } = options;
  const user = options.user ?? identity.account;
  const program = identity.asUser(user, () => findProgram(command, env.PATH, cwd));
  // Its listener must be there before the child can end.
  const exits = childExits();
  const pipes = fds || terminal ? undefined : openPipes(calls, options);
  const streams = terminal ?? fds ?? pipes!.childEnds;
  let pid: number;
  try {
    const request = { cwd, env, streams };
    const start = (path: string, argv: string[]) =>
      identity.asUser(user, () => spawnAs(calls, path, argv, request));
    let started = start(program, [command, ...args]);
    if (started.errno === Errno.ENOEXEC) {
      // A script that does not name its interpreter is the shell's.
      started = start("/bin/sh", ["/bin/sh", program, ...args]);
    }
    if (started.errno !== 0) throw spawnError(started.errno, command, cwd);
    pid = started.pid;
  } catch (error) {
    pipes?.abandon();
    throw error;
  }
  return { pid, status: exits.wait(pid), ...pipes?.adopt() };
}

interface Started {
  errno: number;
  pid: number;
}

function spawnAs(
  calls: System,
  path: string,
  argv: string[],
  request: { cwd: string; env: Record<string, string>; streams: readonly number[] | string },
): Started {
  const actions = new Uint8Array(FILE_ACTIONS_BYTES);
  calls.posix_spawn_file_actions_init(actions);
  try {
    calls.posix_spawn_file_actions_addchdir_np(actions, cString(request.cwd));
    connectStreams(calls, actions, request.streams);
    const pid = new Int32Array(1);
    const errno = calls.posix_spawn(
      pid,
      cString(path),
      actions,
      attributes(calls),
      cStrings(argv),
      cStrings(Object.entries(request.env).map(([name, value]) => `${name}=${value}`)),
    );
    return { errno, pid: pid[0] };
  } finally {
    calls.posix_spawn_file_actions_destroy(actions);
  }
}

/** Standard input, output and error: descriptors of ours, or a terminal by its path. */
function connectStreams(
  calls: System,
  actions: Uint8Array<ArrayBuffer>,
  streams: readonly number[] | string,
): void {
  if (typeof streams !== "string") {
    streams.forEach((fd, target) => calls.posix_spawn_file_actions_adddup2(actions, fd, target));
    return;
  }
  // The first terminal that the leader of a session opens becomes the session's.
  calls.posix_spawn_file_actions_addopen(actions, 0, cString(streams), O_RDWR, 0);
  calls.posix_spawn_file_actions_adddup2(actions, 0, 1);
  calls.posix_spawn_file_actions_adddup2(actions, 0, 2);
}

let sharedAttributes: Uint8Array<ArrayBuffer> | undefined;

/** A session of its own, no signal blocked, and SIGPIPE, which Deno ignores, as it should be. */
function attributes(calls: System): Uint8Array<ArrayBuffer> {
  if (sharedAttributes) return sharedAttributes;
  const made = new Uint8Array(ATTRIBUTES_BYTES);
  const mask = new Uint8Array(SIGNAL_SET_BYTES);
  const defaults = new Uint8Array(SIGNAL_SET_BYTES);
  defaults[(SIGPIPE - 1) >> 3] = 1 << ((SIGPIPE - 1) & 7);
  calls.posix_spawnattr_init(made);
  calls.posix_spawnattr_setsigmask(made, mask);
  calls.posix_spawnattr_setsigdefault(made, defaults);
  calls.posix_spawnattr_setflags(
    made,
    Flags.newSession | Flags.setSignalMask | Flags.setSignalsToDefault,
  );
  return sharedAttributes = made;
}

let nullDevice: number | undefined;

function openNull(calls: System): number {
  nullDevice ??= calls.open(cString("/dev/null"), O_RDWR | O_CLOEXEC);
  if (nullDevice < 0) {
    nullDevice = undefined;
    throw new Error(`/dev/null cannot be opened (os error ${calls.errno()})`);
  }
  return nullDevice;
}

interface Pipes {
  /** Standard input, output and error of the child. */
  childEnds: number[];
  /** Once the child has its ends: the streams of ours. */
  adopt(): Pick<SpawnedChild, "stdin" | "stdout" | "stderr">;
  /** When there is no child. */
  abandon(): void;
}

function openPipes(
  calls: System,
  { stdin, stdout, stderr }: Pick<SpawnOptions, "stdin" | "stdout" | "stderr">,
): Pipes {
  const theirs: number[] = [];
  const ours: number[] = [];
  const childEnds: number[] = [];
  const closeAll = (fds: number[]) => {
    for (const fd of fds.splice(0)) calls.close(fd);
  };
  const abandon = () => {
    closeAll(theirs);
    closeAll(ours);
  };
  const ends = new Int32Array(2);
  const pipe = (wanted: "piped" | "null", childWrites: boolean): number | undefined => {
    if (wanted === "null") {
      childEnds.push(openNull(calls));
      return undefined;
    }
    if (calls.pipe2(ends, O_CLOEXEC) !== 0) {
      throw new Error(`No pipe can be made (os error ${calls.errno()})`);
    }
    const [theirEnd, ourEnd] = childWrites ? [ends[1], ends[0]] : [ends[0], ends[1]];
    theirs.push(theirEnd);
    ours.push(ourEnd);
    childEnds.push(theirEnd);
    calls.fcntl(ourEnd, F_SETFL, O_NONBLOCK);
    return ourEnd;
  };
  try {
    const input = pipe(stdin, false);
    const output = pipe(stdout, true);
    const errors = pipe(stderr, true);
    return {
      childEnds,
      abandon,
      adopt() {
        closeAll(theirs);
        return {
          stdin: input === undefined ? undefined : writablePipe(input),
          stdout: output === undefined ? undefined : readablePipe(output),
          stderr: errors === undefined ? undefined : readablePipe(errors),
        };
      },
    };
  } catch (error) {
    abandon();
    throw error;
  }
}

const encoder = new TextEncoder();

function cString(text: string): Uint8Array<ArrayBuffer> {
  if (text.includes("\0")) throw new TypeError("A command must not contain NUL");
  return encoder.encode(`${text}\0`);
}

/** A list of texts as C has it: addresses, then what is at them, in one piece of memory. */
function cStrings(texts: string[]): Uint8Array<ArrayBuffer> {
  const parts = texts.map(cString);
  const head = (parts.length + 1) * POINTER_BYTES;
  const memory = new ArrayBuffer(parts.reduce((sum, part) => sum + part.length, head));
  const bytes = new Uint8Array(memory);
  const pointers = new BigUint64Array(memory, 0, parts.length + 1);
  const base = BigInt(Deno.UnsafePointer.value(Deno.UnsafePointer.of(bytes)));
  let at = head;
  parts.forEach((part, i) => {
    bytes.set(part, at);
    pointers[i] = base + BigInt(at);
    at += part.length;
  });
  return bytes;
}

const refusals: Record<number, [new (message: string) => Error, string]> = {
  [Errno.EPERM]: [Deno.errors.PermissionDenied, "Operation not permitted"],
  [Errno.E2BIG]: [Error, "Argument list too long"],
  [Errno.EAGAIN]: [Deno.errors.WouldBlock, "Resource temporarily unavailable"],
  [Errno.ENOMEM]: [Error, "Cannot allocate memory"],
  [Errno.EACCES]: [Deno.errors.PermissionDenied, "Permission denied"],
  [Errno.ENOTDIR]: [Deno.errors.NotADirectory, "Not a directory"],
  [Errno.EMFILE]: [Error, "Too many open files"],
  [Errno.ETXTBSY]: [Deno.errors.Busy, "Text file busy"],
  [Errno.ENAMETOOLONG]: [Error, "File name too long"],
  [Errno.ELOOP]: [Deno.errors.FilesystemLoop, "Too many levels of symbolic links"],
};

const codes = Object.fromEntries(Object.entries(Errno).map(([code, errno]) => [errno, code]));

function spawnError(errno: number, command: string, cwd: string): Error {
  // The call does not say whether it was the directory or the program that was refused.
  if (errno === Errno.ENOENT || errno === Errno.ENOTDIR) {
    const reason = whyNoDirectory(cwd);
    if (reason) return osError("ENOENT", `Failed to spawn '${command}': ${reason} '${cwd}'`);
  }
  if (errno === Errno.ENOENT) return notFound(command);
  const [ErrorClass, text] = refusals[errno] ?? [Error, "The system refused"];
  const error = new ErrorClass(`Failed to spawn '${command}': ${text} (os error ${errno})`);
  return Object.assign(error, { code: codes[errno] });
}

function whyNoDirectory(path: string): string | undefined {
  try {
    return Deno.statSync(path).isDirectory ? undefined : "Not a directory";
  } catch (error) {
    return error instanceof Deno.errors.PermissionDenied ? undefined : "No such cwd";
  }
}
