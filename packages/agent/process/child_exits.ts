import { signalNumbered } from "./signals.ts";
import { system } from "./system.ts";

const WNOHANG = 1;
/** Shells and Deno report an end by signal as this and the signal's number. */
const SIGNAL_CODE_BASE = 128;

/** Tells how children end. Asks for each by its pid, so that nobody else's child is taken. */
export class ChildExits {
  readonly #waiting = new Map<number, (status: Deno.CommandStatus) => void>();
  readonly #status = new Int32Array(1);

  constructor() {
    Deno.addSignalListener("SIGCHLD", () => this.#collect());
  }

  /** Of a child that has just been started. */
  wait(pid: number): Promise<Deno.CommandStatus> {
    const { promise, resolve } = Promise.withResolvers<Deno.CommandStatus>();
    this.#waiting.set(pid, resolve);
    return promise;
  }

  #collect(): void {
    for (const [pid, resolve] of this.#waiting) {
      const result = system().waitpid(pid, this.#status, WNOHANG);
      if (result === 0) continue;
      this.#waiting.delete(pid);
      resolve(result === pid ? decodeStatus(this.#status[0]) : LOST);
    }
  }
}

/** Of a child that somebody else has waited for. */
const LOST: Deno.CommandStatus = { success: false, code: 1, signal: null };

function decodeStatus(status: number): Deno.CommandStatus {
  const number = status & 0x7f;
  if (number === 0) {
    const code = status >> 8 & 0xff;
    return { success: code === 0, code, signal: null };
  }
  return {
    success: false,
    code: SIGNAL_CODE_BASE + number,
    signal: signalNumbered(number) ?? null,
  };
}

let shared: ChildExits | undefined;

/** The one of this process. */
export function childExits(): ChildExits {
  return shared ??= new ChildExits();
}
