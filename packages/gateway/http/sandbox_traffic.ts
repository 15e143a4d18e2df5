import type { RunningSandbox } from "@paddock/engine";
import { type LimitValues, PaddockError } from "@paddock/protocol";
import { openGuestPort } from "../guest/open_guest_port.ts";
import { GuestConnection } from "./guest_connection.ts";

/** Many servers close a connection that is idle for 5 s (Node's default): ours goes first. */
const IDLE_MS = 4_000;
const MAX_IDLE_PER_PORT = 256;

/** What ends when the sandbox does. */
export interface Ending {
  sandboxEnded(error: PaddockError): void;
}

/** All that passes between visitors and one sandbox; it ends with the sandbox, at once. */
export class SandboxTraffic {
  readonly sandbox: RunningSandbox;
  readonly #limits: LimitValues;
  readonly #idle = new Map<number, GuestConnection[]>();
  readonly #visits = new Set<Ending>();
  readonly #ended = new AbortController();
  #open = 0;

  constructor(sandbox: RunningSandbox, limits: LimitValues) {
    this.sandbox = sandbox;
    this.#limits = limits;
  }

  /** Aborted, with what to tell visitors, once the sandbox ends. */
  get signal(): AbortSignal {
    return this.#ended.signal;
  }

  add(visit: Ending): void {
    this.#visits.add(visit);
  }

  delete(visit: Ending): void {
    this.#visits.delete(visit);
  }

  /** An idle connection to the port, if there is one. */
  reuse(port: number): GuestConnection | undefined {
    const idle = this.#idle.get(port);
    for (let connection; (connection = idle?.pop());) {
      if (!connection.closed) return connection;
    }
    return undefined;
  }

  async connect(port: number, signal: AbortSignal): Promise<GuestConnection> {
    if (this.#open >= this.#limits.gatewayConnectionsPerSandbox && !this.#closeAnIdleOne()) {
      throw new PaddockError("GATEWAY_BUSY", {
        message: "The sandbox has as many visitors as it may have at once.",
        details: { limit: "gatewayConnectionsPerSandbox" },
      });
    }
    this.#open++;
    try {
      const socket = await openGuestPort(this.sandbox, port, signal);
      let counted = true;
      return new GuestConnection(socket, {
        headBytes: this.#limits.gatewayHeadBytes,
        onFree: (connection) => this.#keep(port, connection),
        onClosed: () => {
          if (counted) this.#open--;
          counted = false;
        },
      });
    } catch (error) {
      this.#open--;
      throw error;
    }
  }

  /** Called every second or so. */
  tick(now: number): void {
    for (const [port, idle] of this.#idle) {
      const kept = idle.filter((connection) => {
        if (connection.closed) return false;
        if (connection.expiresAt > now) return true;
        connection.destroy();
        return false;
      });
      if (kept.length === 0) this.#idle.delete(port);
      else this.#idle.set(port, kept);
    }
  }

  end(error: PaddockError): void {
    if (this.#ended.signal.aborted) return;
    this.#ended.abort(error);
    for (const visit of [...this.#visits]) visit.sandboxEnded(error);
    for (const idle of this.#idle.values()) {
      for (const connection of idle) connection.destroy();
    }
    this.#idle.clear();
  }

  #keep(port: number, connection: GuestConnection): void {
    if (this.#ended.signal.aborted) return connection.destroy();
    let idle = this.#idle.get(port);
    if (!idle) this.#idle.set(port, idle = []);
    if (idle.length >= MAX_IDLE_PER_PORT) return connection.destroy();
    connection.expiresAt = performance.now() + IDLE_MS;
    idle.push(connection);
  }

  #closeAnIdleOne(): boolean {
    for (const idle of this.#idle.values()) {
      const connection = idle.shift();
      if (!connection) continue;
      connection.destroy();
      return true;
    }
    return false;
  }
}
