import type { Log } from "@paddock/driver";
import type { RunningSandbox } from "@paddock/engine";
import { type LimitValues, PaddockError } from "@paddock/protocol";
import type { Socket } from "node:net";
import type { AuthContext, Connection, ServerChannel, Session } from "ssh2";
import type { Exposure, ExposureDirectory } from "../exposures.ts";
import { AgentClient } from "../guest/agent_client.ts";
import type { Admitted } from "./admission.ts";
import { Outflow } from "./outflow.ts";
import { openForward, spliceForward } from "./port_forward.ts";
import type { SandboxVisitors, Visitor } from "./sandbox_visitors.ts";
import { answerClose, idOf, onUnwanted, SshChannel, takesPackets } from "./ssh_channel.ts";
import { type SessionHost, SshSession } from "./ssh_session.ts";

/** A wrong name is refused so long after it came, whatever was wrong and however it was looked up. */
const REFUSAL_MS = 200;
const MAX_NAME_LENGTH = 256;
/** What a client has to leave after it was told to. */
const LEAVE_MS = 1_000;
/** What a visitor who cannot be served has to read why. */
const REFUSED_MS = 10_000;
/** What the ends of commands may take, of which each has a deadline of its own. */
const CLEANUP_MS = 10_000;
/** Streams that may come in from the guest: two of each session, and some that just end. */
const STREAMS_PER_SESSION = 4;
/** How often it is looked whether the name still holds. */
const NAME_CHECK_MS = 5_000;
/** How long to wait, when the agent is gone, for the news that the whole sandbox is. */
const NEWS_MS = 2_000;

export interface SshConnectionOptions {
  client: Connection;
  socket: Socket;
  admitted: Admitted;
  limits: LimitValues;
  log: Log;
  exposures: ExposureDirectory;
  visitors: SandboxVisitors;
  /** Ends the connection unless it has shown a right name by then. */
  deadline: ReturnType<typeof setTimeout>;
}

/** A client of SSH: its name, its sessions and its forwarded ports, until it is gone. */
export class SshConnection implements SessionHost, Visitor {
  /** Settles when the client is gone and what it started has ended; never rejects. */
  readonly closed: Promise<void>;
  readonly outflow: Outflow;
  readonly env: Record<string, string>;
  readonly #options: SshConnectionOptions;
  readonly #gone = new AbortController();
  readonly #sessions = new Map<number, SshSession>();
  readonly #forwards = new Set<SshChannel | symbol>();
  readonly #work = new Set<Promise<unknown>>();
  #attempts = 0;
  #username = "";
  #exposure: Exposure | undefined;
  #sandbox: RunningSandbox | undefined;
  #refusal: string | undefined;
  #agent: Promise<AgentClient> | undefined;
  #ending: string | undefined;

  constructor(options: SshConnectionOptions) {
    const { client, socket, limits } = options;
    this.#options = options;
    this.outflow = new Outflow(client, socket, limits.sshHandshakeMs);
    const remote = `${socket.remoteAddress} ${socket.remotePort}`;
    this.env = {
      SSH_CLIENT: `${remote} ${socket.localPort}`,
      SSH_CONNECTION: `${remote} ${socket.localAddress} ${socket.localPort}`,
    };
    const { promise, resolve } = Promise.withResolvers<void>();
    this.closed = promise;
    socket.once("close", () => void this.#cleanUp().finally(resolve));
    // Half closed is not closed, and a client may leave it at that.
    socket.once("finish", () => this.#destroySoon());
    socket.on("data", () => this.#checkUnread());
    this.#listen(client);
  }

  get refusal(): string | undefined {
    return this.#refusal;
  }

  get unreadBytes(): number {
    let sum = 0;
    for (const channel of this.#channels()) sum += channel.unreadBytes;
    return sum;
  }

  agent(): Promise<AgentClient> {
    const { limits } = this.#options;
    const sandbox = this.#sandbox!;
    const { signal } = this.#gone;
    const connecting = this.#agent ??= sandbox.resume(signal).then(() =>
      AgentClient.connect(sandbox.agent, {
        ...{ limits, signal },
        maxStreams: limits.sshSessions * STREAMS_PER_SESSION,
      })
    ).then((agent) => {
      const standstills = sandbox.onStandstill(() => agent.drop());
      // The next session tries anew.
      void agent.closed.then(() => {
        standstills[Symbol.dispose]();
        if (this.#agent === connecting) this.#agent = undefined;
      });
      return agent;
    }, (error) => {
      this.#agent = undefined;
      throw error;
    });
    return connecting;
  }

  async lossReason(): Promise<string> {
    const sandbox = this.#sandbox;
    if (sandbox?.awake && this.#ending === undefined) {
      let timer: ReturnType<typeof setTimeout> | undefined;
      const late = new Promise((resolve) => timer = setTimeout(resolve, NEWS_MS));
      await Promise.race([sandbox.ended, late]).finally(() => clearTimeout(timer));
    }
    if (this.#ending !== undefined) return this.#ending;
    if (sandbox?.awake) return "the connection to the sandbox was lost";
    const pausing = sandbox?.state === "running" || sandbox?.state === "paused";
    return pausing ? "the sandbox was paused" : "the sandbox has ended";
  }

  /** Tells every session why, then ends the connection. */
  async end(reason: string): Promise<void> {
    this.#ending ??= reason;
    this.#refusal ??= reason;
    (await Promise.race([this.#agent?.catch(() => undefined), sleep(0)]))?.drop();
    // Once its sessions are over a client leaves by itself. Told to, it would drop what it has not
    // shown yet, which is why it has to go.
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, LEAVE_MS);
      this.#gone.signal.addEventListener("abort", () => {
        clearTimeout(timer);
        resolve();
      });
    });
    this.leave();
  }

  /** Ends the connection. */
  leave(): void {
    try {
      this.#options.client.end();
    } catch {
      // It broke a moment ago.
    }
    this.#destroySoon();
  }

  #listen(client: Connection): void {
    const { log, socket } = this.#options;
    client.on("error", (error) => {
      log.debug("an SSH connection failed", { from: socket.remoteAddress, why: error.message });
      this.#destroySoon();
    });
    client.on("authentication", (context) => this.#authenticate(context));
    client.on("ready", () => this.#enter());
    client.on("session", (accept, reject) => this.#openSession(accept, reject));
    client.on("tcpip", (accept, reject, { destIP, destPort }) => {
      void this.#forward(accept, reject, { host: destIP, port: destPort });
    });
    onUnwanted(client, (id) => this.#sessions.get(id)?.outputUnwanted());
    // Ports of the visitor are not for the guest. Without a listener ssh2 would refuse
    // "no more sessions", too.
    client.on("request", (_accept, reject) => reject?.());
  }

  #authenticate(context: AuthContext): void {
    const { admitted, limits } = this.#options;
    this.#username = context.username;
    this.#exposure = this.#find(context.username);
    if (this.#exposure) return context.accept();
    if (this.#attempts++ === 0) admitted.failed();
    const last = this.#attempts >= limits.sshAuthAttempts;
    setTimeout(() => {
      if (this.#gone.signal.aborted) return;
      context.reject(["publickey"]);
      if (last) this.leave();
    }, REFUSAL_MS);
  }

  /** Whether the name is still given to the sandbox; an owner may withdraw it. */
  #holds(): boolean {
    try {
      return this.#options.exposures.findSsh(this.#username) !== undefined;
    } catch {
      return true;
    }
  }

  #find(username: string): Exposure | undefined {
    if (username.length > MAX_NAME_LENGTH) return undefined;
    try {
      return this.#options.exposures.findSsh(username);
    } catch (error) {
      this.#options.log.error("an SSH user name could not be looked up", { error: String(error) });
      return undefined;
    }
  }

  #enter(): void {
    clearTimeout(this.#options.deadline);
    this.#options.admitted.authenticated();
    const entered = this.#options.visitors.enter(this.#exposure!.sandboxId, this);
    if (typeof entered === "string") {
      this.#refusal = entered;
      const timer = setTimeout(() => this.leave(), REFUSED_MS);
      this.#gone.signal.addEventListener("abort", () => clearTimeout(timer));
      return;
    }
    this.#sandbox = entered;
    const timer = setInterval(() => {
      if (!this.#holds()) void this.end("this access was withdrawn");
    }, NAME_CHECK_MS);
    this.#gone.signal.addEventListener("abort", () => clearInterval(timer));
  }

  #openSession(accept: () => Session | undefined, reject: () => void): void {
    if (this.#sessions.size >= this.#options.limits.sshSessions) return reject();
    const raw = accept();
    if (!raw) return;
    if (!takesPackets(raw)) return this.leave();
    const id = idOf(raw);
    const session = new SshSession(raw, this);
    this.#sessions.set(id, session);
    raw.once("close", () => {
      if (!session.started) answerClose(this.#options.client, raw);
      session.close();
    });
    this.#track(session.ended.then(() => this.#sessions.delete(id)));
  }

  async #forward(
    accept: () => ServerChannel | undefined,
    reject: () => void,
    target: { host: string; port: number },
  ): Promise<void> {
    if (
      !this.#sandbox || this.#refusal || this.#forwards.size >= this.#options.limits.sshForwards
    ) {
      return reject();
    }
    const place = Symbol();
    this.#forwards.add(place);
    try {
      const { signal } = this.#gone;
      const socket = await openForward(this.#sandbox, target, signal).catch(() => undefined);
      const raw = signal.aborted || !socket ? undefined : accept();
      if (!raw || !socket) {
        socket?.destroy();
        if (!signal.aborted) reject();
        return;
      }
      const channel = new SshChannel(raw, this.outflow);
      this.#forwards.delete(place);
      this.#forwards.add(channel);
      if (!takesPackets(raw)) {
        socket.destroy();
        this.leave();
      } else {
        const work = spliceForward(channel, socket);
        this.#track(work);
        await work;
      }
      this.#forwards.delete(channel);
    } catch {
      // The client went while it was answered.
      this.#destroySoon();
    } finally {
      this.#forwards.delete(place);
    }
  }

  *#channels(): Generator<SshChannel> {
    for (const { channel } of this.#sessions.values()) if (channel) yield channel;
    for (const forward of this.#forwards) if (typeof forward !== "symbol") yield forward;
  }

  #checkUnread(): void {
    if (this.#gone.signal.aborted) return;
    for (const channel of this.#channels()) {
      if (channel.overfull) return void this.#options.socket.destroy();
    }
    if (this.#sandbox) this.#options.visitors.unreadGrew(this.#sandbox, this);
  }

  #track(work: Promise<unknown>): void {
    this.#work.add(work);
    work.finally(() => this.#work.delete(work)).catch(() => {});
  }

  #destroySoon(): void {
    const { socket } = this.#options;
    const timer = setTimeout(() => socket.destroy(), LEAVE_MS);
    socket.once("close", () => clearTimeout(timer));
  }

  async #cleanUp(): Promise<void> {
    clearTimeout(this.#options.deadline);
    this.#gone.abort(new PaddockError("CONNECTION_LOST"));
    const channels = [...this.#channels()];
    for (const session of [...this.#sessions.values()]) session.close();
    for (const channel of channels) channel.markClosed();
    await Promise.race([Promise.allSettled([...this.#work]), sleep(CLEANUP_MS)]);
    await (await this.#agent?.catch(() => undefined))?.close();
  }
}

async function sleep(ms: number): Promise<undefined> {
  await new Promise((resolve) => setTimeout(resolve, ms));
  return undefined;
}
