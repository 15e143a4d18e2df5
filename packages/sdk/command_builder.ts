import type { ChildProcess } from "./child_process.ts";
import type {
  ChildProcessOutput,
  ChildProcessStatus,
  OutputKind,
  SpawnOptions,
} from "./child_process_types.ts";
import { SandboxCommandError } from "./command_error.ts";
import { KillController, KillSignal, type KillSignalListener } from "./kill_signal.ts";

/** What a command returns: its status, and the outputs that were `"piped"`. */
export interface SandboxCommandResult {
  status: Omit<ChildProcessStatus, "signal"> & { signal?: ChildProcessStatus["signal"] };
  stdout: Uint8Array | null;
  stderr: Uint8Array | null;
  stdoutText: string | null;
  stderrText: string | null;
}

/** Options for `sandbox.sh("command", options)`; each is also a method of the builder. */
export interface ShellOptions {
  cwd?: string;
  env?: Record<string, string>;
  /** Run as root. */
  sudo?: boolean;
  /** Return the result of a command that failed instead of throwing. */
  noThrow?: boolean;
  /** Default for `sh("…")`: `"piped"`. */
  stdout?: OutputKind;
  /** Default for `sh("…")`: `"piped"`. */
  stderr?: OutputKind;
  signal?: KillSignal | AbortSignal;
}

interface CommandState {
  cwd: string | undefined;
  env: Record<string, string>;
  sudo: boolean;
  noThrow: boolean;
  stdout: OutputKind;
  stderr: OutputKind;
  signal: KillSignal | undefined;
}

type Spawn = (command: string, options: SpawnOptions) => Promise<ChildProcess>;

const childKey = Symbol("SandboxCommandChild");

/**
 * A shell command that runs when it is awaited. Every method returns a new builder; one builder can
 * be run several times.
 *
 * ```ts
 * const files = await sandbox.sh`ls ${dir}`.text();
 * const data = await sandbox.sh`cat data.json`.json<{ id: number }>();
 * const { status } = await sandbox.sh`exit 3`.noThrow(); // status.code === 3
 * await sandbox.sh`apt-get install -y jq`.sudo();
 * ```
 *
 * A command that exits with another code than 0 throws a `SandboxCommandError`.
 */
export class SandboxCommandBuilder implements PromiseLike<SandboxCommandResult> {
  readonly #spawn: Spawn;
  readonly #command: string;
  readonly #state: CommandState;

  /** @internal */
  constructor(spawn: Spawn, command: string, options: ShellOptions, defaultKind: OutputKind) {
    this.#spawn = spawn;
    this.#command = command;
    this.#state = {
      cwd: options.cwd,
      env: { ...options.env },
      sudo: options.sudo ?? false,
      noThrow: options.noThrow ?? false,
      stdout: options.stdout ?? defaultKind,
      stderr: options.stderr ?? defaultKind,
      signal: options.signal && toKillSignal(options.signal),
    };
  }

  /** Return the result of a command that fails instead of throwing. */
  noThrow(value = true): SandboxCommandBuilder {
    return this.#with({ noThrow: value });
  }

  /** Run the command as root. */
  sudo(enable = true): SandboxCommandBuilder {
    return this.#with({ sudo: enable });
  }

  /** Set the working directory. */
  cwd(path: string): SandboxCommandBuilder {
    return this.#with({ cwd: path });
  }

  /** Set one environment variable, or several. */
  env(name: string, value: string): SandboxCommandBuilder;
  env(variables: Record<string, string>): SandboxCommandBuilder;
  env(name: string | Record<string, string>, value?: string): SandboxCommandBuilder {
    const added = typeof name === "string" ? { [name]: value ?? "" } : name;
    return this.#with({ env: { ...this.#state.env, ...added } });
  }

  /** Say where standard output goes. `text()` and `json()` pipe it. */
  stdout(kind: OutputKind): SandboxCommandBuilder {
    return this.#with({ stdout: kind });
  }

  /** Say where standard error goes. */
  stderr(kind: OutputKind): SandboxCommandBuilder {
    return this.#with({ stderr: kind });
  }

  /** Pass signals on to the command. Signals given earlier stay in force. */
  signal(signal: KillSignal | AbortSignal): SandboxCommandBuilder {
    const earlier = this.#state.signal;
    if (!earlier) return this.#with({ signal: toKillSignal(signal) });
    // What is shared with other commands must not hear of this one's earlier signals.
    const added = signal instanceof KillSignal ? signal : newKillSignal(signal);
    earlier.linkChild(added);
    return this.#with({ signal: added });
  }

  /** Run the command and return its standard output as UTF-8. */
  async text(): Promise<string> {
    return (await this.stdout("piped").result()).stdoutText ?? "";
  }

  /** Run the command and parse its standard output as JSON. */
  async json<T = unknown>(): Promise<T> {
    const text = await this.text();
    try {
      return JSON.parse(text);
    } catch (error) {
      throw new Error(`the command's output is not JSON: ${(error as Error).message}`, {
        cause: error,
      });
    }
  }

  /** Run the command and return its status and output. Awaiting the builder does the same. */
  async result(): Promise<SandboxCommandResult> {
    const child = await this.spawn();
    const result = await child.output();
    if (this.#state.noThrow || result.status.success) return result;
    // The command itself stays out of the message: it may hold secrets, and messages are logged.
    const memory = result.status.oom ? " (the process ran out of memory)" : "";
    const stderr = result.stderrText ? `\n${result.stderrText}` : "";
    throw new SandboxCommandError(
      `the command failed with exit code ${result.status.code}${memory}${stderr}`,
      result.status.code,
      result,
    );
  }

  /** Start the command without waiting for its end. */
  async spawn(): Promise<SandboxCommandChild> {
    const { signal, sudo, env, ...state } = this.#state;
    if (signal?.abortedExitCode !== undefined) {
      return new SandboxCommandChild(childKey, abortedResult(signal.abortedExitCode), () => {});
    }
    const args = ["bash", "-c", this.#command];
    if (sudo) args.unshift("sudo", "-E");
    let pending: Parameters<KillSignalListener>[0] | undefined;
    let child: ChildProcess | undefined;
    // A signal may arrive while the process is still being started: it must not get lost.
    const listener: KillSignalListener = (name) => {
      pending = name;
      child?.kill(name).catch(() => {});
    };
    signal?.addListener(listener);
    const unsubscribe = () => signal?.removeListener(listener);
    try {
      child = await this.#spawn(args[0], {
        args: args.slice(1),
        cwd: state.cwd,
        env: { BASH_ENV: "$HOME/.bashrc", ...env },
        stdout: state.stdout,
        stderr: state.stderr,
      });
    } catch (error) {
      unsubscribe();
      throw error;
    }
    if (pending !== undefined) child.kill(pending).catch(() => {});
    // Also when nobody asks for the output.
    child.status.then(unsubscribe, unsubscribe);
    return new SandboxCommandChild(childKey, child, unsubscribe);
  }

  /** Runs the command: a builder can be awaited. */
  then<TResult1 = SandboxCommandResult, TResult2 = never>(
    onfulfilled?: ((value: SandboxCommandResult) => TResult1 | PromiseLike<TResult1>) | null,
    onrejected?: ((reason: unknown) => TResult2 | PromiseLike<TResult2>) | null,
  ): Promise<TResult1 | TResult2> {
    return this.result().then(onfulfilled, onrejected);
  }

  #with(changes: Partial<CommandState>): SandboxCommandBuilder {
    return new SandboxCommandBuilder(
      this.#spawn,
      this.#command,
      { ...this.#state, ...changes },
      "inherit",
    );
  }
}

/** A shell command under way. */
export class SandboxCommandChild {
  readonly #source: ChildProcess | SandboxCommandResult;
  readonly #done: () => void;

  /** @internal */
  constructor(key: symbol, source: ChildProcess | SandboxCommandResult, done: () => void) {
    if (key !== childKey) {
      throw new TypeError("SandboxCommandChild cannot be constructed; use `sandbox.sh`…`.spawn()`");
    }
    this.#source = source;
    this.#done = done;
  }

  /** Waits for the command's end. */
  async output(): Promise<SandboxCommandResult> {
    try {
      return isRunning(this.#source) ? await this.#source.output() : this.#source;
    } finally {
      this.#done();
    }
  }
}

function isRunning(
  source: { output(): Promise<ChildProcessOutput> } | SandboxCommandResult,
): source is ChildProcess {
  return "output" in source;
}

function abortedResult(code: number): SandboxCommandResult {
  return {
    status: { success: false, code, oom: false },
    stdout: new Uint8Array(),
    stderr: new Uint8Array(),
    stdoutText: "",
    stderrText: "",
  };
}

/** One for each AbortSignal: a program's own may live long and see thousands of commands. */
const killSignals = new WeakMap<AbortSignal, KillSignal>();

function toKillSignal(signal: KillSignal | AbortSignal): KillSignal {
  if (signal instanceof KillSignal) return signal;
  let known = killSignals.get(signal);
  if (!known) killSignals.set(signal, known = newKillSignal(signal));
  return known;
}

function newKillSignal(signal: AbortSignal): KillSignal {
  // Programs may carry an AbortSignal of another realm or library: what it does counts.
  if (typeof (signal as AbortSignal)?.addEventListener !== "function") {
    throw new TypeError("signal must be a KillSignal or an AbortSignal");
  }
  const controller = new KillController();
  if (signal.aborted) controller.kill();
  else signal.addEventListener("abort", () => controller.kill(), { once: true });
  return controller.signal;
}
