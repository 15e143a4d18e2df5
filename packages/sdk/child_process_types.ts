/** Names of the signals that can be sent to a process. */
export type Signal =
  | "SIGABRT"
  | "SIGALRM"
  | "SIGBREAK"
  | "SIGBUS"
  | "SIGCHLD"
  | "SIGCONT"
  | "SIGEMT"
  | "SIGFPE"
  | "SIGHUP"
  | "SIGILL"
  | "SIGINFO"
  | "SIGINT"
  | "SIGIO"
  | "SIGKILL"
  | "SIGPIPE"
  | "SIGPOLL"
  | "SIGPROF"
  | "SIGPWR"
  | "SIGQUIT"
  | "SIGSEGV"
  | "SIGSTKFLT"
  | "SIGSTOP"
  | "SIGSYS"
  | "SIGTERM"
  | "SIGTRAP"
  | "SIGTSTP"
  | "SIGTTIN"
  | "SIGTTOU"
  | "SIGUNUSED"
  | "SIGURG"
  | "SIGUSR1"
  | "SIGUSR2"
  | "SIGVTALRM"
  | "SIGWINCH"
  | "SIGXCPU"
  | "SIGXFSZ";

/** How a process ended. */
export interface ChildProcessStatus {
  /** Exit code 0. */
  success: boolean;
  /** Exit code; 128 + n when signal n ended the process. */
  code: number;
  /** The signal that ended the process, or `null` when it exited by itself. */
  signal: Signal | null;
  /** The process, or one it started, was ended because the sandbox ran out of memory. */
  oom: boolean;
}

/** Status and collected output of a process. What was not `"piped"` is `null`. */
export interface ChildProcessOutput {
  status: ChildProcessStatus;
  readonly stdout: Uint8Array<ArrayBuffer> | null;
  readonly stderr: Uint8Array<ArrayBuffer> | null;
  /** `stdout` as UTF-8. */
  readonly stdoutText: string | null;
  /** `stderr` as UTF-8. */
  readonly stderrText: string | null;
}

/**
 * Where an output of a process goes: `"piped"` to a stream of the child, `"inherit"` to the same output
 * of this program, `"null"` nowhere.
 */
export type OutputKind = "piped" | "inherit" | "null";

/** Options for `sandbox.spawn`. */
export interface SpawnOptions {
  args?: string[];
  /** Working directory in the sandbox. Default: `/home/sandbox`. */
  cwd?: string | URL;
  /** Start from an empty environment instead of the sandbox's. Default: `false`. */
  clearEnv?: boolean;
  /** Environment variables to add. */
  env?: Record<string, string>;
  /** Sends SIGTERM to the process when it aborts. */
  signal?: AbortSignal;
  /** `"piped"`: write to `child.stdin`, and close it. Default: `"null"`, an empty input. */
  stdin?: "piped" | "null";
  /** Default: `"inherit"`. */
  stdout?: OutputKind;
  /** Default: `"inherit"`. */
  stderr?: OutputKind;
}
