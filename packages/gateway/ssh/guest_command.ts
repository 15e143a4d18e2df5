import type { AgentClient } from "../guest/agent_client.ts";
import type { Exit, SshChannel } from "./ssh_channel.ts";

/** What a command has to end by itself when its visitor has left. */
const HANGUP_MS = 3_000;
const KILL_MS = 3_000;

export interface Terminal {
  columns: number;
  rows: number;
  term: string;
}

export interface GuestCommandSpec {
  command: string;
  args: string[];
  env: Record<string, string>;
  /** Without one, the command has pipes, and standard error apart. */
  terminal?: Terminal;
}

/** A command in the guest whose standard streams are those of an SSH channel. */
export class GuestCommand {
  /** How it ended, once all that it wrote was taken. Rejects when the agent is lost. */
  readonly done: Promise<Exit & { outOfMemory: boolean }>;
  readonly #agent: AgentClient;
  readonly #pid: number;
  readonly #exit: Promise<Exit & { outOfMemory: boolean }>;

  readonly #output: Output[];

  private constructor(agent: AgentClient, pid: number, output: Output[]) {
    this.#agent = agent;
    this.#pid = pid;
    this.#output = output;
    this.#exit = agent.call("processWait", { pid }, { deadlineMs: null }).then((status) => ({
      code: status.code,
      signal: status.signal,
      outOfMemory: status.oom !== null,
    }));
    this.#exit.catch(() => {});
    this.done = Promise.all(output.map((part) => part.pumped)).then(() => this.#exit);
    this.done.catch(() => {});
  }

  /** Throws what the guest says about a command that cannot be started. */
  static async start(
    agent: AgentClient,
    { command, args, env, terminal }: GuestCommandSpec,
    channel: SshChannel,
  ): Promise<GuestCommand> {
    const stdinStreamId = agent.sendStream(channel.readable());
    if (terminal) {
      const { columns, rows, term } = terminal;
      const { pid, outputStreamId } = await agent.call("paddock.spawnPty", {
        ...{ command, args, env, columns, rows, term, stdinStreamId },
      });
      return new GuestCommand(agent, pid, [pump(agent.receiveStream(outputStreamId), channel)]);
    }
    const { pid, stdoutStreamId, stderrStreamId } = await agent.call("spawn", {
      ...{ command, args, env, stdinStreamId, stdout: "piped", stderr: "piped" },
    });
    // A guest that opens no streams lies, and receiveStream says so.
    const stdout = agent.receiveStream(stdoutStreamId ?? -1);
    const stderr = agent.receiveStream(stderrStreamId ?? -1);
    return new GuestCommand(agent, pid, [pump(stdout, channel), pump(stderr, channel, "stderr")]);
  }

  async resize({ columns, rows }: Pick<Terminal, "columns" | "rows">): Promise<void> {
    await this.#agent.call("paddock.resizePty", { pid: this.#pid, columns, rows }).catch(() => {});
  }

  async signal(name: string): Promise<void> {
    await this.#agent.call("processKill", { pid: this.#pid, signal: name }).catch(() => {});
  }

  /** Nobody reads it: the command finds its pipes closed. */
  dropOutput(): void {
    for (const { drop } of this.#output) drop();
  }

  /** Ends it as a closed terminal would, and by force when that is not enough. */
  async hangUp(): Promise<void> {
    if (await this.#endsWithin(0)) return;
    await this.signal("SIGHUP");
    if (await this.#endsWithin(HANGUP_MS)) return;
    await this.signal("SIGKILL");
    await this.#endsWithin(KILL_MS);
  }

  async #endsWithin(ms: number): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const timer = setTimeout(() => resolve(false), ms);
    const ended = () => resolve(true);
    this.#exit.then(ended, ended);
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
    }
  }
}

interface Output {
  pumped: Promise<void>;
  drop(): void;
}

function pump(
  from: ReadableStream<Uint8Array>,
  channel: SshChannel,
  to: "stdout" | "stderr" = "stdout",
): Output {
  const reader = from.getReader();
  const drop = () => void reader.cancel().catch(() => {});
  const pumpAll = async () => {
    try {
      while (true) {
        const { value, done } = await reader.read();
        if (done) return;
        if (!await channel.write(value, to)) return drop();
      }
    } catch {
      // The guest or its connection broke off; how the command ended says the rest.
    }
  };
  return { pumped: pumpAll(), drop };
}
