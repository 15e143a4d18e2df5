import { type MethodInput, PaddockError, type SerializedValue } from "@paddock/protocol";
import type { Identity } from "../identity/identity.ts";
import { GuestProcess } from "../process/guest_process.ts";
import type { Environment } from "../process/environment.ts";
import { noSuchProcess, type ProcessTable } from "../process/process_table.ts";
import { Channel } from "./channel.ts";
import { denoConfiguration } from "./deno_configuration.ts";
import { FirstValues } from "./first_values.ts";
import {
  type FromRepl,
  IMPORT_KEY,
  REPL_SOCKET_ENV,
  REPL_TOKEN_ENV,
  type ToRepl,
} from "./messages.ts";
import { ReplProcess, type ReplSettings } from "./repl_process.ts";

/** An emulated machine on a busy host takes long. */
const START_TIMEOUT_MS = 120_000;
/** The first evaluations of a new REPL come before the start of the next spare, if they come soon. */
const RESPAWN_DELAY_MS = 60;
const FIRST_ANSWER_MS = 2_000;
const MAX_MESSAGE_BYTES = 256 * 1024 * 1024;

/** What is to be evaluated at once, as the contract has it. */
type FirstEvaluation = MethodInput<"spawnDenoRepl">["evaluate"];

export interface ReplPoolOptions {
  identity: Identity;
  environment: Environment;
  processes: ProcessTable;
  socketPath: string;
  replScript: string;
  deno: string;
  home: string;
  maxRepls: number;
  log(message: string): void;
}

interface Spare {
  process: GuestProcess;
  ready: Promise<ReplProcess>;
  isReady: boolean;
  configuration: string;
}

/**
 * Starts REPL processes and keeps one ahead of demand: starting takes long, taking over a running
 * one takes no time.
 */
export class ReplPool {
  readonly #options: ReplPoolOptions;
  readonly #listener: Deno.UnixListener;
  readonly #awaited = new Map<
    string,
    (channel: Channel<FromRepl, ToRepl>, rest: AsyncGenerator<FromRepl>) => void
  >();
  readonly #repls = new Map<number, ReplProcess>();
  readonly #values = new FirstValues();
  #spare: Spare | undefined;
  #respawn: ReturnType<typeof setTimeout> | undefined;
  #closed = false;

  constructor(options: ReplPoolOptions) {
    this.#options = options;
    this.#listener = options.identity.asRoot(() => {
      const listener = Deno.listen({ transport: "unix", path: options.socketPath });
      Deno.chmodSync(options.socketPath, 0o666);
      return listener;
    });
    void this.#accept();
  }

  /** Whether a REPL can be had at once. */
  get ready(): boolean {
    return this.#spare?.isReady ?? false;
  }

  /** Starts the spare. Safe to call again. */
  warm(): void {
    if (this.#spare || this.#closed) return;
    const settings = this.#spareSettings();
    try {
      const { process, ready } = this.#start(settings);
      const configuration = denoConfiguration(settings.cwd, this.#options.identity.libc);
      const spare: Spare = { process, ready, isReady: false, configuration };
      this.#spare = spare;
      ready.then(() => spare.isReady = true, () => this.#lose(spare));
      process.status.then(() => this.#lose(spare), () => this.#lose(spare));
    } catch (error) {
      this.#options.log(`no spare REPL could be started: ${error}`);
    }
  }

  /** Gives up the spare to free its memory. True when there was one. */
  dropSpare(): boolean {
    const spare = this.#spare;
    clearTimeout(this.#respawn);
    this.#respawn = undefined;
    this.#spare = undefined;
    return spare?.process.kill("SIGKILL") ?? false;
  }

  /** Makes what is random in every REPL, the spare included, differ from now on. */
  reseed(): void {
    for (const repl of this.#repls.values()) repl.reseed();
    this.#spare?.ready.then((repl) => repl.reseed(), () => {});
  }

  /** Tells the spare about the environment there is now, before anybody waits for it. */
  refreshSpare(): void {
    const settings = this.#spareSettings();
    this.#spare?.ready.then((repl) => repl.adopt(settings), () => {});
  }

  /** A REPL for a client, known to the process table from now on, and what it is to evaluate at once. */
  async open(settings: ReplSettings, first: FirstEvaluation): Promise<ReplProcess> {
    if (first === undefined) return await this.#open(settings);
    const { promise, resolve, reject } = Promise.withResolvers<SerializedValue>();
    const forget = this.#values.keep(first.ticket, promise);
    try {
      const repl = await this.#open(settings);
      resolve(repl.evaluate(first.code));
      repl.process.status.then(forget, forget);
      return repl;
    } catch (error) {
      forget();
      reject(error);
      throw error;
    }
  }

  /** The value of a REPL's first evaluation. */
  evaluated(ticket: string): Promise<SerializedValue> {
    return this.#values.take(ticket);
  }

  async #open(settings: ReplSettings): Promise<ReplProcess> {
    const { maxRepls, processes } = this.#options;
    if (this.#repls.size >= maxRepls) {
      throw new PaddockError("TOO_MANY_REPLS", {
        message: `${this.#repls.size} REPLs are open in the sandbox, the most it may have.`,
        details: { limit: "repls", max: maxRepls },
      });
    }
    const repl = await this.#takeSpare(settings) ?? await this.#startAndWait(settings);
    void this.#scheduleSpareAfter(repl);
    this.#repls.set(repl.pid, repl);
    processes.add(repl.process);
    const ended = () => this.#repls.delete(repl.pid);
    repl.process.status.then(ended, ended);
    return repl;
  }

  get(pid: number): ReplProcess {
    const repl = this.#repls.get(pid);
    if (!repl) throw noSuchProcess(pid);
    return repl;
  }

  close(): void {
    this.#closed = true;
    this.dropSpare();
    for (const repl of this.#repls.values()) repl.process.kill("SIGKILL");
    this.#listener.close();
  }

  #spareSettings(): ReplSettings {
    const { environment, home } = this.#options;
    return { env: environment.forCommand(), cwd: home, args: [] };
  }

  async #takeSpare(settings: ReplSettings): Promise<ReplProcess | undefined> {
    const spare = this.#spare;
    // Deno reads the configuration of its directory when it starts, and never again.
    if (
      !spare || spare.configuration !== denoConfiguration(settings.cwd, this.#options.identity.libc)
    ) {
      return undefined;
    }
    this.#spare = undefined;
    try {
      const repl = await spare.ready;
      if (!repl.alive) return undefined;
      repl.adopt(settings);
      return repl;
    } catch {
      return undefined;
    }
  }

  async #startAndWait(settings: ReplSettings): Promise<ReplProcess> {
    const { process, ready } = this.#start(settings);
    try {
      return await ready;
    } catch (error) {
      process.kill("SIGKILL");
      throw error;
    }
  }

  #start(settings: ReplSettings): { process: GuestProcess; ready: Promise<ReplProcess> } {
    const { identity, deno, replScript, socketPath } = this.#options;
    const token = crypto.randomUUID();
    // The working directory's own module does the importing, so that its configuration applies.
    const main = `globalThis[Symbol.for(${JSON.stringify(IMPORT_KEY)})]=` +
      `(s,o)=>o===undefined?import(s):import(s,o);await import(${
        JSON.stringify(`file://${replScript}`)
      })`;
    const process = GuestProcess.spawn(identity, {
      kind: "repl",
      command: deno,
      args: ["eval", "--v8-flags=--expose-gc", main, ...settings.args],
      env: {
        ...settings.env,
        [REPL_SOCKET_ENV]: socketPath,
        [REPL_TOKEN_ENV]: token,
        // Deno's few threads need no heaps of their own.
        MALLOC_ARENA_MAX: "1",
      },
      cwd: settings.cwd,
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    });
    const { promise, resolve, reject } = Promise.withResolvers<ReplProcess>();
    this.#awaited.set(
      token,
      (channel, rest) => resolve(new ReplProcess(process, settings, channel, rest)),
    );
    const failed = (reason: string) => () =>
      reject(new PaddockError("REPL_CLOSED", { message: `The REPL did not start: ${reason}.` }));
    const timer = setTimeout(
      failed(`it was not ready within ${START_TIMEOUT_MS / 1000} s`),
      START_TIMEOUT_MS,
    );
    process.status.then(({ code }) => {
      failed(`Deno exited with code ${code}`)();
      // Nobody has its streams, so nobody would ever close them.
      if (!this.#repls.has(process.pid)) process.abandonStreams();
    }, failed("unknown"));
    const forget = () => {
      clearTimeout(timer);
      this.#awaited.delete(token);
    };
    promise.then(forget, forget);
    return { process, ready: promise };
  }

  async #accept(): Promise<void> {
    try {
      for await (const connection of this.#listener) void this.#greet(connection);
    } catch (error) {
      if (!this.#closed) this.#options.log(`the REPL socket failed: ${error}`);
    }
  }

  async #greet(connection: Deno.UnixConn): Promise<void> {
    const channel = new Channel<FromRepl, ToRepl>(connection, MAX_MESSAGE_BYTES);
    const messages = channel.receive();
    const timer = setTimeout(() => channel.close(), START_TIMEOUT_MS);
    try {
      const { value: hello } = await messages.next();
      const claim = hello?.type === "hello" && this.#awaited.get(hello.token);
      if (claim) claim(channel, messages);
      else channel.close();
    } catch {
      channel.close();
    } finally {
      clearTimeout(timer);
    }
  }

  async #scheduleSpareAfter(repl: ReplProcess): Promise<void> {
    const unused = Promise.withResolvers<void>();
    const timer = setTimeout(unused.resolve, FIRST_ANSWER_MS);
    await Promise.race([repl.answered, unused.promise]);
    clearTimeout(timer);
    this.#scheduleSpare();
  }

  #scheduleSpare(): void {
    if (this.#respawn !== undefined || this.#closed) return;
    this.#respawn = setTimeout(() => {
      this.#respawn = undefined;
      this.warm();
    }, RESPAWN_DELAY_MS);
  }

  #lose(spare: Spare): void {
    if (this.#spare === spare) this.#spare = undefined;
  }
}
