import type { Socket } from "node:net";
import { PaddockError } from "@paddock/protocol";

/** Whose connection each socket is, so that no organisation takes all that the server has. */
export class OrganizationConnections {
  readonly #max: number;
  readonly #owners = new Map<Socket, string>();
  readonly #counts = new Map<string, number>();

  constructor(max: number) {
    this.#max = max;
  }

  /**
   * Counts a connection as the organisation's until it closes, or until another organisation uses it
   * (a proxy before this server may pass the requests of many over one). Throws TOO_MANY_CONNECTIONS.
   */
  claim(socket: Socket, organizationId: string): void {
    const owner = this.#owners.get(socket);
    if (owner === organizationId || socket.destroyed) return;
    const count = this.#counts.get(organizationId) ?? 0;
    if (count >= this.#max) {
      throw new PaddockError("TOO_MANY_CONNECTIONS", {
        message: `The organisation has ${count} connections to this server, the most it may have ` +
          "(limits.connectionsPerOrganization).",
        details: { limit: "connectionsPerOrganization", max: this.#max },
      });
    }
    if (owner === undefined) socket.once("close", () => this.#release(socket));
    else this.#release(socket);
    this.#owners.set(socket, organizationId);
    this.#counts.set(organizationId, count + 1);
  }

  #release(socket: Socket): void {
    const owner = this.#owners.get(socket);
    if (owner === undefined) return;
    this.#owners.delete(socket);
    const left = this.#counts.get(owner)! - 1;
    if (left === 0) this.#counts.delete(owner);
    else this.#counts.set(owner, left);
  }
}
