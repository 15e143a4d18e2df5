import { isSandboxId, regionOfSandboxId } from "@paddock/protocol";
import { toPath } from "./_path.ts";
import { waits } from "./_defaults.ts";
import { type Checkpoint, type CheckpointOptions, checkpointSandbox } from "./checkpoint.ts";
import { childInit, ChildProcess } from "./child_process.ts";
import type { SpawnOptions } from "./child_process_types.ts";
import { SandboxCommandBuilder, type ShellOptions } from "./command_builder.ts";
import { createDeno, type DenoReplOptions, type DenoRunOptions, type SandboxDeno } from "./deno.ts";
import type { DenoProcess } from "./deno_process.ts";
import { DenoRepl } from "./deno_repl.ts";
import { type BaseClientOptions, type ResolvedTarget, resolveTarget } from "./endpoint.ts";
import { createEnv, type SandboxEnv } from "./env.ts";
import { ApiError, InvalidTimeoutError, NetworkError, SandboxKillError } from "./errors.ts";
import {
  type ExposeHttpOptions,
  exposeHttpTarget,
  type ExposeOptions,
  type ExposureListItem,
  HttpExposure,
  type HttpTarget,
  listExposures,
  requestDomain,
  requestSsh,
  type SshAccess,
  withdrawExposure,
} from "./exposure.ts";
import { forkSandbox } from "./fork_sandbox.ts";
import { SandboxFiles } from "./sandbox_files.ts";
import { Link } from "./link.ts";
import { forgetLocalDaemon } from "./local_daemon.ts";
import { createConnection, openConnection } from "./open_connection.ts";
import { pauseSandbox, resumeSandbox } from "./pause_sandbox.ts";
import { fetchInSandbox, type RequestInit } from "./request.ts";
import { restRequest } from "./rest.ts";
import {
  listSandboxes,
  type SandboxesListOptions,
  type SandboxMetadata,
  toMetadata,
} from "./sandbox_metadata.ts";
import {
  type ConnectOptions,
  type Duration,
  durationMs,
  type ForkOptions,
  type SandboxOptions,
  toConfig,
} from "./sandbox_options.ts";
import { buildShellCommand } from "./shell_escape.ts";
import { startChild } from "./start_child.ts";
import { openTerminal, type Terminal, type TerminalOptions } from "./terminal.ts";
import { openedVsCode, type VsCode, type VsCodeOptions } from "./vscode.ts";

const sandboxKey = Symbol("Sandbox");

/** Runs a shell command: as a template tag, which escapes what is put in, or as a function. */
export interface ShellFunction {
  (strings: TemplateStringsArray, ...values: unknown[]): SandboxCommandBuilder;
  /** The command is taken as it is: build it from untrusted text with the template tag only. */
  (command: string, options?: ShellOptions): SandboxCommandBuilder;
}

/**
 * A small Linux machine with Deno in it.
 *
 * ```ts
 * import { Sandbox } from "@paddock/sandbox";
 *
 * await using sandbox = await Sandbox.create();
 * await sandbox.eval("[1, 2, 3].map((n) => n * n)"); // [1, 4, 9]
 * await sandbox.sh`echo ${"it's safe"}`.text(); // "it's safe\n"
 * await sandbox.writeTextFile("hello.txt", "hello");
 * ```
 *
 * Where it runs: on the server that the options or the environment name; else on this host, by its local
 * daemon, which is started when needed.
 */
export class Sandbox extends SandboxFiles {
  readonly #link: Link;
  readonly #deno: SandboxDeno;
  readonly #env: SandboxEnv;
  #ssh: SshAccess | undefined;
  #url: string | undefined;

  /** Runs a shell command: `` sandbox.sh`ls ${dir}` `` or `sandbox.sh("ls", { cwd: dir })`. */
  readonly sh: ShellFunction;

  /** @internal */
  constructor(key: symbol, link: Link) {
    if (key !== sandboxKey) {
      throw new TypeError("Sandbox cannot be constructed; use `Sandbox.create()`");
    }
    super(link);
    this.#link = link;
    this.#deno = createDeno(link);
    this.#env = createEnv(link);
    const spawn = (command: string, options: SpawnOptions) => this.spawn(command, options);
    this.sh = (command: TemplateStringsArray | string, ...values: unknown[]) =>
      typeof command === "string"
        ? new SandboxCommandBuilder(spawn, command, (values[0] ?? {}) as ShellOptions, "piped")
        : new SandboxCommandBuilder(spawn, buildShellCommand(command, values), {}, "inherit");
  }

  /**
   * Creates a sandbox and connects to it.
   *
   * @throws {InvalidTokenError} the token is not accepted
   * @throws {ConnectionEstablishmentError} the server refuses; `code` and `field` say what is wrong
   * @throws {NetworkError} the server cannot be reached
   * @throws {LocalDaemonError} no endpoint is configured and no local daemon can be started
   */
  static async create(options: SandboxOptions = {}): Promise<Sandbox> {
    const { signal } = options;
    const config = toConfig(options);
    const { target, result } = await withTarget(
      options,
      options.region,
      signal,
      (target) => createConnection(target, config, signal),
    );
    const duration = durationMs(config.timeout);
    const sandbox = new Sandbox(
      sandboxKey,
      new Link({
        target,
        sandboxId: result.sandboxId,
        connection: result.connection,
        stopAt: duration === undefined ? "session" : Date.now() + duration,
        debug: options.debug ?? false,
        closeMs: config.root || config.volumes?.length ? waits.volumeCloseMs : waits.closeMs,
      }),
    );
    if (!options.ssh && options.port === undefined) return sandbox;
    try {
      if (options.ssh) sandbox.#ssh = await sandbox.exposeSsh();
      if (options.port !== undefined) {
        sandbox.#url = await sandbox.exposeHttp({ port: options.port });
      }
      return sandbox;
    } catch (error) {
      await sandbox.kill().catch(() => {});
      throw error;
    }
  }

  /** Connects to a sandbox that runs, for example one that another program created. */
  static connect(id: string, options?: ConnectOptions): Promise<Sandbox>;
  static connect(options: ConnectOptions & { id: string }): Promise<Sandbox>;
  static async connect(
    idOrOptions: string | (ConnectOptions & { id: string }),
    more: ConnectOptions = {},
  ): Promise<Sandbox> {
    const { id, ...options } = typeof idOrOptions === "string"
      ? { ...more, id: idOrOptions }
      : idOrOptions;
    if (!isSandboxId(id)) throw new TypeError(`${JSON.stringify(id)} is not the id of a sandbox`);
    const { target, result } = await withTarget(
      options,
      regionOfSandboxId(id),
      options.signal,
      (target) =>
        openConnection({
          target,
          path: `/api/v3/sandbox/${id}/connect`,
          sandboxId: id,
          deadlineMs: waits.connectMs,
          signal: options.signal,
        }),
    );
    return new Sandbox(
      sandboxKey,
      new Link({
        target,
        sandboxId: id,
        connection: result,
        stopAt: undefined,
        debug: options.debug ?? false,
      }),
    );
  }

  /** The organisation's running sandboxes. */
  static list(
    options: BaseClientOptions & SandboxesListOptions = {},
  ): AsyncIterable<SandboxMetadata> {
    return listSandboxes(options, options);
  }

  /** `sbx_`, the region's three letters, `_` and twenty characters. */
  get id(): string {
    return this.#link.sandboxId;
  }

  /** Resolves when the sandbox has ended or the connection is closed for good. Never rejects. */
  get closed(): Promise<void> {
    return this.#link.closed;
  }

  /** Deno in the sandbox: programs, REPLs. */
  get deno(): SandboxDeno {
    return this.#deno;
  }

  /** The sandbox's environment variables. */
  get env(): SandboxEnv {
    return this.#env;
  }

  /** How to reach the sandbox by SSH, when it was created with `ssh: true`. */
  get ssh(): SshAccess | undefined {
    return this.#ssh;
  }

  /** Where the sandbox is reachable by HTTP, when it was created with `port`. */
  get url(): string | undefined {
    return this.#url;
  }

  /** Starts a program as user `sandbox`, without a shell. */
  async spawn(command: string | URL, options: SpawnOptions = {}): Promise<ChildProcess> {
    const what = { command: toPath(command), args: options.args };
    return await startChild(this.#link, "spawn", what, options, (init) => new ChildProcess(init));
  }

  /** Starts a shell, or another program, in a terminal of its own. */
  async terminal(options: TerminalOptions = {}): Promise<Terminal> {
    return await openTerminal(this.#link, options);
  }

  /** Makes an HTTP request from inside the sandbox. */
  async fetch(url: string | URL, init?: RequestInit): Promise<Response> {
    return await fetchInSandbox(this.#link, url, init);
  }

  /** Same as `sandbox.deno.eval`. */
  eval<T = unknown>(code: string, options?: { signal?: AbortSignal }): Promise<T> {
    return this.#deno.eval<T>(code, options);
  }

  /** Same as `sandbox.deno.repl`. */
  repl(options?: DenoReplOptions): Promise<DenoRepl> {
    return this.#deno.repl(options);
  }

  /**
   * A REPL that runs in this sandbox already: one that was open when it was forked or checkpointed, by its
   * process id there. What it prints is not available.
   */
  async attachRepl(pid: number): Promise<DenoRepl> {
    const connection = await this.#link.connection();
    const streams = { stdin: null, stdout: null, stderr: null, inherited: Promise.resolve() };
    return new DenoRepl(childInit({ link: this.#link, connection, pid, ...streams }), this.#link);
  }

  /** Same as `sandbox.deno.run`. */
  createJsRuntime(options: DenoRunOptions): Promise<DenoProcess> {
    return this.#deno.run(options);
  }

  /**
   * Makes an HTTP server in the sandbox reachable for everybody who knows the address that is returned:
   * one that listens on a port, or one of a program started by `sandbox.deno.run`.
   */
  async exposeHttp(target: HttpTarget & ExposeHttpOptions): Promise<string> {
    return new HttpExposure(this.#link, await exposeHttpTarget(this.#link, target)).url;
  }

  /** As `exposeHttp`, for addresses that are protected, withdrawn or signed. */
  async expose(target: HttpTarget & ExposeOptions): Promise<HttpExposure> {
    return new HttpExposure(this.#link, await exposeHttpTarget(this.#link, target));
  }

  /** The sandbox's public addresses and SSH accesses, oldest first. */
  async exposures(): Promise<ExposureListItem[]> {
    return await listExposures(this.#link);
  }

  /** Takes back what has that name in `exposures()`. */
  async withdraw(name: string): Promise<void> {
    await withdrawExposure(this.#link, name);
  }

  /** Makes the sandbox reachable by SSH. Who knows the returned user name needs nothing else. */
  async exposeSsh(): Promise<SshAccess> {
    return await requestSsh(this.#link);
  }

  /** Starts VS Code on a directory and makes it reachable by a browser. */
  async exposeVscode(path = "/home/app", options: VsCodeOptions = {}): Promise<VsCode> {
    const connection = await this.#link.connection();
    const { domain } = await requestDomain(this.#link, "vscode");
    const started = await connection.call("vscode", {
      path,
      env: options.env,
      extensions: options.extensions ?? [],
      preview: options.preview,
      disableStopButton: options.disableStopButton,
      editorSettings: options.editorSettings,
    });
    const vscode = openedVsCode({
      link: this.#link,
      connection,
      url: `https://${domain}`,
      pid: started.pid,
      stdout: connection.receiveStream(started.stdoutStreamId),
      stderr: connection.receiveStream(started.stderrStreamId),
    });
    try {
      await connection.call("exposeHttp", { domain, port: started.port });
    } catch (error) {
      await vscode.kill().catch(() => {});
      throw error;
    }
    return vscode;
  }

  /** Same as `exposeVscode`. */
  vscode(path?: string, options?: VsCodeOptions): Promise<VsCode> {
    return this.exposeVscode(path, options);
  }

  /**
   * Lets the sandbox live this much longer from now, at most 30 minutes, and returns its new end.
   * Not for session sandboxes.
   */
  async extendTimeout(timeout: Duration): Promise<Date> {
    if (durationMs(timeout) === undefined) {
      throw new InvalidTimeoutError('a duration is needed, for example "5m" or "600s"');
    }
    const { stop_at_ms } = await restRequest<{ stop_at_ms: number }>(this.#link.target, {
      method: "PATCH",
      path: `/api/v3/sandbox/${this.id}`,
      body: { timeout },
    });
    this.#link.stopAt = stop_at_ms;
    return new Date(stop_at_ms);
  }

  /** What the server's records say of it: its driver, what that can do, when it ends. */
  async metadata(): Promise<SandboxMetadata> {
    const path = `/api/v3/sandbox/${this.id}`;
    return toMetadata(await restRequest(this.#link.target, { method: "GET", path }));
  }

  /**
   * A running copy of this sandbox, with its memory, processes, REPLs and files: both go on from the same
   * moment, each for itself. With a number as many copies, all or none. What runs in a copy has the
   * process ids that it has here: `copy.attachRepl(repl.pid)` is the same REPL there.
   *
   * TCP connections of programs in the sandbox break, in the original too, as do streams that are under
   * way. This program's own connection is made again by itself.
   */
  fork(options?: ForkOptions): Promise<Sandbox>;
  fork(count: number, options?: ForkOptions): Promise<Sandbox[]>;
  async fork(
    countOrOptions: number | ForkOptions = {},
    more: ForkOptions = {},
  ): Promise<Sandbox | Sandbox[]> {
    const [count, options] = typeof countOrOptions === "number"
      ? [countOrOptions, more]
      : [1, countOrOptions];
    const links = await forkSandbox(this.#link, count, options);
    const forks = links.map((link) => new Sandbox(sandboxKey, link));
    return typeof countOrOptions === "number" ? forks : forks[0];
  }

  /**
   * Keeps this sandbox as it is now, with its memory, processes, REPLs and files, for
   * `Sandbox.create({ checkpoint })`. It goes on; what breaks is what breaks at a fork.
   */
  async checkpoint(options: CheckpointOptions = {}): Promise<Checkpoint> {
    return await checkpointSandbox(this.#link, options);
  }

  /**
   * Writes the sandbox to the server's disk and ends its machine; its time stands still. It goes on where it
   * stood when somebody wants something of it: a call of this program, a visitor of a public address, SSH.
   * Processes, REPLs, addresses, labels and environment are as they were; connections are not.
   */
  async pause(options: { signal?: AbortSignal } = {}): Promise<void> {
    await pauseSandbox(this.#link, options);
  }

  /** Lets a paused sandbox go on now, and connects to it. Nothing happens when it runs. */
  async resume(options: { signal?: AbortSignal } = {}): Promise<void> {
    await resumeSandbox(this.#link, options);
  }

  /** Ends the sandbox now. What was in it is gone. */
  async kill(): Promise<void> {
    await this.#link.endBy(async () => {
      try {
        await restRequest(this.#link.target, {
          method: "DELETE",
          path: `/api/v3/sandbox/${this.id}`,
        });
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        // It is gone already, which is what was asked for.
        if (error.status === 404 || error.status === 410) return;
        throw new SandboxKillError(error.status, error.message);
      }
    });
  }

  /** Closes the connection. That ends a session sandbox; one with a duration lives on. */
  async close(): Promise<void> {
    await this.#link.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  [Symbol.for("nodejs.util.inspect.custom")](
    _depth: number,
    options: object,
    inspect?: (value: unknown, options: object) => string,
  ): string {
    const shown = {
      id: this.id,
      ...(this.#ssh && { ssh: this.#ssh }),
      ...(this.#url && { url: this.#url }),
    };
    return `Sandbox ${inspect ? inspect(shown, options) : JSON.stringify(shown)}`;
  }
}

/** Runs `work` with the server to use; when that is a local daemon which is gone, with its successor. */
async function withTarget<T>(
  options: BaseClientOptions,
  region: string | undefined,
  signal: AbortSignal | undefined,
  work: (target: ResolvedTarget) => Promise<T>,
): Promise<{ target: ResolvedTarget; result: T }> {
  let target = await resolveTarget(options, region, signal);
  try {
    return { target, result: await work(target) };
  } catch (error) {
    if (!target.local || !(error instanceof NetworkError) || !isRefused(error)) throw error;
    forgetLocalDaemon();
    target = await resolveTarget(options, region, signal);
    return { target, result: await work(target) };
  }
}

/** Nobody listens there, so nothing can have happened. */
function isRefused(error: NetworkError): boolean {
  for (let cause = error.cause; cause instanceof Error; cause = cause.cause) {
    if ((cause as { code?: string }).code === "ECONNREFUSED") return true;
  }
  return /ECONNREFUSED|refused/i.test(error.message);
}
