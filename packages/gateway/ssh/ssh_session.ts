import { PaddockError } from "@paddock/protocol";
import type { Session } from "ssh2";
import type { AgentClient } from "../guest/agent_client.ts";
import { GuestCommand, type GuestCommandSpec, type Terminal } from "./guest_command.ts";
import type { Outflow } from "./outflow.ts";
import { SshChannel } from "./ssh_channel.ts";

const SHELL = "/bin/bash";
const SFTP_SERVER = "/usr/lib/openssh/sftp-server";

/** What clients may set, as sshd of Debian lets them. */
const ACCEPTED_VARIABLES = /^(?:LANG|LC_[A-Z_]{1,30}|COLORTERM|NO_COLOR)$/;
const MAX_VARIABLES = 32;
const MAX_VARIABLE_BYTES = 1024;
const MAX_COMMAND_BYTES = 30_000;

const SIGNALS: ReadonlySet<string> = new Set(
  "ABRT ALRM FPE HUP ILL INT KILL PIPE QUIT SEGV TERM USR1 USR2".split(" "),
);

/** Exit status of `ssh` itself, which scripts tell from a command's. */
const FAILED = 255;

/** What a session needs of its connection. */
export interface SessionHost {
  readonly outflow: Outflow;
  /** SSH_CLIENT and the like. */
  readonly env: Record<string, string>;
  /** Why nothing can be started; for the visitor. */
  readonly refusal: string | undefined;
  /** Throws AGENT_UNREACHABLE. */
  agent(): Promise<AgentClient>;
  /** Why the agent is gone; for the visitor. */
  lossReason(): Promise<string>;
}

type Start = { kind: "shell" } | { kind: "command"; command: string } | { kind: "sftp" };

/** A session channel: environment, terminal, and then one shell, command or subsystem. */
export class SshSession {
  /** Settles when what ran in it has ended. */
  readonly ended: Promise<void>;
  readonly #host: SessionHost;
  readonly #env: Record<string, string> = {};
  #terminal: Terminal | undefined;
  #channel: SshChannel | undefined;
  #command: GuestCommand | undefined;
  readonly #end: () => void;

  constructor(session: Session, host: SessionHost) {
    this.#host = host;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.ended = promise;
    this.#end = resolve;
    this.#listen(session);
  }

  get started(): boolean {
    return this.#channel !== undefined;
  }

  get channel(): SshChannel | undefined {
    return this.#channel;
  }

  /** The client has nobody left who reads what the command writes. */
  outputUnwanted(): void {
    this.#command?.dropOutput();
  }

  /** The client closed the channel, or is gone. */
  close(): void {
    if (this.#channel) this.#channel.markClosed();
    else this.#end();
  }

  #listen(session: Session): void {
    session.on("error", () => this.close());
    session.on("env", (accept, reject, { key, val }) => {
      const takes = ACCEPTED_VARIABLES.test(key) && val.length <= MAX_VARIABLE_BYTES &&
        !val.includes("\0") && Object.keys(this.#env).length < MAX_VARIABLES;
      if (takes) this.#env[key] = val;
      (takes ? accept : reject)?.();
    });
    session.on("pty", (accept, reject, info) => {
      if (this.started) return reject?.();
      const { term } = info as unknown as { term?: string };
      this.#terminal = {
        ...sizeOf(info),
        term: /^[\w.+-]{1,64}$/.test(term ?? "") ? term! : "dumb",
      };
      accept?.();
    });
    session.on("window-change", (accept, reject, info) => {
      if (!this.#terminal) return reject?.();
      Object.assign(this.#terminal, sizeOf(info));
      void this.#command?.resize(this.#terminal);
      accept?.();
    });
    session.on("signal", (accept, reject, { name }) => {
      if (!SIGNALS.has(name) || !this.#command) return reject?.();
      void this.#command.signal(`SIG${name}`);
      accept?.();
    });
    session.on("shell", (accept) => this.#start(accept, { kind: "shell" }));
    session.on("exec", (accept, reject, { command }) => {
      if (command.length > MAX_COMMAND_BYTES) return reject?.();
      this.#start(accept, { kind: "command", command });
    });
    session.on("subsystem", (accept, reject, { name }) => {
      if (name !== "sftp") return reject?.();
      this.#start(accept, { kind: "sftp" });
    });
  }

  #start(
    accept: () => ConstructorParameters<typeof SshChannel>[0] | undefined,
    start: Start,
  ): void {
    // At once, because ssh2 drops data that arrives before; a second start it does not accept.
    const raw = accept();
    if (!raw) return;
    const channel = this.#channel = new SshChannel(raw, this.#host.outflow);
    this.#run(channel, start).catch(() => channel.finish({ code: FAILED, signal: null }))
      .finally(this.#end);
  }

  async #run(channel: SshChannel, start: Start): Promise<void> {
    let agent: AgentClient;
    try {
      if (this.#host.refusal !== undefined) throw new Refusal(this.#host.refusal);
      agent = await this.#host.agent();
      this.#command = await GuestCommand.start(agent, this.#specOf(start), channel);
    } catch (error) {
      await this.#fail(channel, await this.#reasonOf(error, start));
      return;
    }
    const command = this.#command;
    // The window may have changed while the terminal was being made.
    if (this.#terminal && start.kind !== "sftp") void command.resize(this.#terminal);
    const outcome = await Promise.race([
      command.done.catch(() => "lost" as const),
      agent.closed.then(() => "lost" as const),
      channel.closed.then(() => "closed" as const),
    ]);
    if (outcome === "closed") return await command.hangUp();
    if (outcome === "lost") return await this.#fail(channel, await this.#host.lossReason());
    if (outcome.outOfMemory) await this.#tell(channel, "the command ran out of memory");
    channel.finish(outcome);
  }

  #specOf(start: Start): GuestCommandSpec {
    const env = { ...this.#host.env, ...this.#env };
    const terminal = this.#terminal && { ...this.#terminal };
    switch (start.kind) {
      case "shell":
        return { command: SHELL, args: ["-l"], env, terminal };
      case "command":
        return { command: SHELL, args: ["-c", start.command], env, terminal };
      case "sftp":
        return { command: SFTP_SERVER, args: [], env };
    }
  }

  async #reasonOf(error: unknown, start: Start): Promise<string> {
    if (error instanceof Refusal) return error.message;
    if (error instanceof PaddockError) {
      const lost = error.code === "CONNECTION_LOST" || error.code === "AGENT_UNREACHABLE";
      return lost ? await this.#host.lossReason() : sentence(error.message);
    }
    const { name, message } = error as Error;
    if (start.kind === "sftp" && name === "NotFound") {
      return `this sandbox's image has no ${SFTP_SERVER}: sftp, and scp without -O, need it`;
    }
    return sentence(message);
  }

  async #fail(channel: SshChannel, reason: string): Promise<void> {
    await this.#tell(channel, reason);
    channel.finish({ code: FAILED, signal: null });
  }

  async #tell(channel: SshChannel, text: string): Promise<void> {
    await channel.write(new TextEncoder().encode(`paddock: ${text}\r\n`), "stderr");
  }
}

/** For the visitor. */
class Refusal extends Error {}

/** A client without a terminal of its own says 0. */
function sizeOf({ cols, rows }: { cols: number; rows: number }): { columns: number; rows: number } {
  const bounded = (value: number, usual: number) => value >= 1 ? Math.min(value, 65_535) : usual;
  return { columns: bounded(cols, 80), rows: bounded(rows, 24) };
}

/** A guest's words, fit for the terminal of its visitor. */
function sentence(text: string): string {
  // deno-lint-ignore no-control-regex
  const plain = text.replace(/[\x00-\x1f\x7f-\x9f]+/g, " ").slice(0, 300);
  return plain.charAt(0).toLowerCase() + plain.slice(1).replace(/\.$/, "");
}
