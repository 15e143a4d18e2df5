import { SUBPROTOCOL } from "@paddock/protocol";
import { type AgentAddress, type AgentConnection, dialAgent } from "./dial_agent.ts";

/** What a client and an agent agree on as their connection is made. */
export interface Terms {
  encoding: "v2" | "v3";
  protocol: string | undefined;
}

/** A connection to an agent that was made before anybody asked for it. */
export class Greeting implements Disposable {
  readonly #terms: Terms;
  #connection: AgentConnection | undefined;

  constructor(terms: Terms, connection: AgentConnection) {
    this.#terms = terms;
    this.#connection = connection;
  }

  /** The connection, for whoever wants it on these terms, once. */
  take({ encoding, protocol }: Terms): AgentConnection | undefined {
    const connection = this.#connection;
    const fits = encoding === this.#terms.encoding && protocol === this.#terms.protocol;
    if (!fits || !connection || connection.socket.destroyed) return undefined;
    this.#connection = undefined;
    return connection;
  }

  [Symbol.dispose](): void {
    this.#connection?.socket.destroy();
    this.#connection = undefined;
  }
}

/** Connects to machines that wait, on the terms that the last client wanted: the next may well want the same. */
export class AgentGreeter {
  #terms: Terms = { encoding: "v3", protocol: SUBPROTOCOL };

  asked(terms: Terms): void {
    this.#terms = terms;
  }

  async greet(agent: AgentAddress, signal: AbortSignal): Promise<Greeting> {
    const terms = this.#terms;
    return new Greeting(terms, await dialAgent(agent, { ...terms, signal }));
  }
}
