import { PaddockError, type SerializedValue } from "@paddock/protocol";

/**
 * Values of evaluations that were asked for together with their REPL. Each is known by the ticket that the
 * client chose, until it is taken or nobody can take it any more.
 */
export class FirstValues {
  readonly #values = new Map<string, Promise<SerializedValue>>();

  /** Gives what forgets it. */
  keep(ticket: string, value: Promise<SerializedValue>): () => void {
    if (this.#values.has(ticket)) {
      throw new PaddockError("INVALID_PARAMS", {
        message: "spawnDenoRepl: evaluate.ticket: another evaluation has it.",
        field: "evaluate.ticket",
      });
    }
    value.catch(() => {});
    this.#values.set(ticket, value);
    return () => {
      if (this.#values.get(ticket) === value) this.#values.delete(ticket);
    };
  }

  async take(ticket: string): Promise<SerializedValue> {
    const value = this.#values.get(ticket);
    if (!value) {
      throw new PaddockError("REPL_CLOSED", { message: "No REPL evaluates for that ticket." });
    }
    this.#values.delete(ticket);
    return await value;
  }
}
