import type { Socket } from "node:net";
import { countSplicedBytes } from "@paddock/driver";
import { closeCodes } from "@paddock/protocol";
import type { BulkReads } from "./bulk_reads.ts";
import { ClientReads } from "./client_reads.ts";
import { closeFrame, PING_FRAME } from "./control_frames.ts";
import { FrameBoundary } from "./frame_boundary.ts";

export interface SpliceOptions {
  client: Socket;
  agent: Socket;
  agentReads: BulkReads;
  /** Bytes that each side sent along with its handshake. */
  clientHead: Uint8Array;
  agentHead: Uint8Array;
  /** A client that sends nothing for this long, our pings unanswered, is taken for dead. */
  idleMs: number;
  /** How long the client is told that its connection stands while the agent answers nothing. */
  guestSilenceMs: number;
  /** How long a side may take to finish once the other has. */
  lingerMs: number;
  /** Asked when the agent goes without a word: what to tell the client. */
  explain: () => Promise<{ code: number; reason: string }>;
  /** Waited for when both sides have said goodbye, before the client's connection ends. */
  beforeEnd?: () => Promise<void>;
  /** Called once, as soon as the client is known to be gone or the splice is over. */
  onClientGone: () => void;
}

export interface SpliceResult {
  endedBy: "client" | "agent" | "server";
  detail: string | undefined;
  bytesFromClient: number;
  bytesFromAgent: number;
}

/** For what the agent is just sending to come to an end, so that a close can stand behind it. */
const BOUNDARY_WITHIN_MS = 1_000;
const BOUNDARY_POLL_MS = 5;

/**
 * A client that hears nothing for so long is told that its connection stands: on a busy host a guest may be late with
 * all of its answers, those to pings included, and clients take a longer silence for a connection that is lost.
 */
const GUEST_LATE_MS = 3_000;
/** A client's answer to a ping of ours asks for nothing. */
const PONG = 0x8a;
const PONG_BYTES = 6;

/** A client held up by a slow agent is pinged this often: a dead one answers with a reset. */
const STALLED_PING_MS = 1_000;

/**
 * Joins a client's socket and an agent's, byte for byte. A side that reads slowly stops the other
 * from being read, so at most the sockets' own buffers are held. Only the heads of frames towards
 * the client are looked at, to know where a ping or a close of ours may stand.
 */
export class Splice {
  readonly done: Promise<SpliceResult>;
  readonly #options: SpliceOptions;
  readonly #boundary = new FrameBoundary();
  readonly #clientReads = new ClientReads((chunk, done) => this.#fromClient(chunk, done));
  readonly #finish: (result: SpliceResult) => void;
  #endedBy: SpliceResult["endedBy"] | undefined;
  #detail: string | undefined;
  #bytesFromClient = 0;
  #bytesFromAgent = 0;
  #clientGone = false;
  #clientEnding = false;
  #finished = false;
  #lastHeard = performance.now();
  #lastPing = 0;
  /** What the client said that no word of the agent has followed. */
  #unansweredSince: number | undefined;
  #stalledSince: number | undefined;
  #linger: ReturnType<typeof setTimeout> | undefined;

  constructor(options: SpliceOptions) {
    this.#options = options;
    const { promise, resolve } = Promise.withResolvers<SpliceResult>();
    this.done = promise;
    this.#finish = resolve;
    this.#start();
  }

  /** Ends the connection from this side, with a close frame if the stream of frames allows one. */
  close(code: number, reason: string): void {
    if (this.#endedBy === undefined) this.#sayGoodbye("server", code, reason);
  }

  /** As `close`, once what the agent is just sending is complete; not for long. */
  async closeInOrder(code: number, reason: string): Promise<void> {
    const until = performance.now() + BOUNDARY_WITHIN_MS;
    while (!this.#mayInsert() && this.#endedBy === undefined && performance.now() < until) {
      await new Promise((resolve) => setTimeout(resolve, BOUNDARY_POLL_MS));
    }
    this.close(code, reason);
  }

  /** Called every second or so by the owner of all splices. */
  tick(now: number): void {
    this.#options.agentReads.tick();
    this.#clientReads.tick();
    if (this.#endedBy !== undefined) return;
    const silent = now - this.#lastHeard;
    if (silent > this.#options.idleMs) {
      return this.#sayGoodbye(
        "server",
        closeCodes.goingAway,
        `nothing was heard from the client for ${this.#options.idleMs / 1000} s`,
      );
    }
    const stalled = this.#stalledSince !== undefined && now - this.#stalledSince > STALLED_PING_MS;
    const late = now - (this.#unansweredSince ?? now);
    const vouching = late >= GUEST_LATE_MS && late < this.#options.guestSilenceMs;
    const due = stalled ? STALLED_PING_MS : vouching ? GUEST_LATE_MS : this.#options.idleMs / 4;
    const wanted = stalled || vouching || silent > this.#options.idleMs / 2;
    if (wanted && now - this.#lastPing >= due) {
      this.#lastPing = now;
      if (this.#mayInsert()) this.#options.client.write(PING_FRAME);
    }
  }

  #start(): void {
    const { client, agent, agentReads, clientHead, agentHead } = this.#options;
    client.on("error", (error) => this.#detail ??= error.message);
    agent.on("error", (error) => this.#detail ??= error.message);
    client.on("close", () => {
      this.#clientLeft();
      agent.destroy();
      this.#settle();
    });
    client.on("end", () => {
      this.#clientLeft();
      agent.end();
      if (this.#options.beforeEnd) this.#endClient();
      else this.#lingerThen(() => this.#destroy());
    });
    agent.on("end", () => this.#agentLeft());
    agent.on("close", () => this.#agentLeft());
    client.on("drain", () => agent.resume());
    agent.on("drain", () => {
      this.#stalledSince = undefined;
      client.resume();
    });
    client.on("data", (chunk) => this.#fromClient(chunk as Uint8Array));
    this.#clientReads.attach(client);
    if (agentHead.length > 0) this.#fromAgent(agentHead);
    const early = agentReads.listen((chunk) => this.#fromAgent(chunk));
    if (early.length > 0) this.#fromAgent(early);
    if (clientHead.length > 0) this.#fromClient(clientHead);
    // A socket that closed before the listeners above were on will not say so again.
    if (client.destroyed) return this.#clientLeft(), agent.destroy(), this.#settle();
    if (agent.destroyed) return this.#agentLeft();
    client.resume();
    agent.resume();
  }

  /** True when the system has taken all of it; else `done` is called once it has. */
  #fromClient(chunk: Uint8Array, done?: () => void): boolean {
    const { client, agent } = this.#options;
    this.#lastHeard = performance.now();
    if (chunk[0] !== PONG || chunk.length > PONG_BYTES) this.#unansweredSince ??= this.#lastHeard;
    this.#bytesFromClient += chunk.length;
    countSplicedBytes(chunk.length);
    if (this.#endedBy !== undefined || !agent.writable) return true;
    if (!agent.write(chunk, done)) {
      this.#stalledSince ??= this.#lastHeard;
      client.pause();
    }
    return agent.writableLength === 0;
  }

  /** True when the system has taken all of it, so that its memory may be written to again. */
  #fromAgent(chunk: Uint8Array): boolean {
    const { client, agent } = this.#options;
    this.#bytesFromAgent += chunk.length;
    this.#unansweredSince = undefined;
    if (this.#endedBy === "server" || !client.writable) return true;
    this.#boundary.push(chunk);
    if (!client.write(chunk)) agent.pause();
    if (client.writableLength === 0) return true;
    countSplicedBytes(chunk.length);
    return false;
  }

  #clientLeft(): void {
    this.#endedBy ??= "client";
    if (this.#clientGone) return;
    this.#clientGone = true;
    this.#options.onClientGone();
  }

  #agentLeft(): void {
    // Nothing comes any more for a client that has finished.
    if (this.#endedBy === "client") this.#endClient();
    if (this.#endedBy !== undefined) return;
    if (this.#boundary.closeSeen) {
      this.#endedBy = "agent";
      this.#options.client.resume();
      this.#endClient();
      return;
    }
    this.#endedBy = "agent";
    this.#options.explain().then(({ code, reason }) => this.#sayGoodbye("agent", code, reason));
  }

  /** Both sides have said goodbye, or the client has and nothing more comes for it. */
  #endClient(): void {
    const { client, beforeEnd } = this.#options;
    if (this.#clientEnding) return;
    this.#clientEnding = true;
    const end = () => {
      client.end();
      this.#lingerThen(() => this.#destroy());
    };
    if (beforeEnd) beforeEnd().then(end, end);
    else end();
  }

  #sayGoodbye(by: SpliceResult["endedBy"], code: number, reason: string): void {
    const { client, agent } = this.#options;
    this.#endedBy ??= by;
    this.#detail ??= reason;
    agent.destroy();
    if (client.destroyed) return;
    if (this.#mayInsert()) client.write(closeFrame(code, reason));
    client.end();
    // What the client still sends is read and dropped until it closes, or time is up.
    client.resume();
    this.#lingerThen(() => this.#destroy());
  }

  #mayInsert(): boolean {
    return this.#options.client.writable && this.#boundary.atBoundary && !this.#boundary.closeSeen;
  }

  #lingerThen(action: () => void): void {
    this.#linger ??= setTimeout(action, this.#options.lingerMs);
  }

  #destroy(): void {
    this.#options.client.destroy();
    this.#options.agent.destroy();
  }

  #settle(): void {
    if (this.#finished) return;
    this.#finished = true;
    clearTimeout(this.#linger);
    this.#finish({
      endedBy: this.#endedBy ?? "client",
      detail: this.#detail,
      bytesFromClient: this.#bytesFromClient,
      bytesFromAgent: this.#bytesFromAgent,
    });
  }
}
