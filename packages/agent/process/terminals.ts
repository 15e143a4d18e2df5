import { PaddockError } from "@paddock/protocol";
import type { Identity } from "../identity/identity.ts";
import type { SpawnOptions } from "./guest_process.ts";
import type { ProcessTable } from "./process_table.ts";
import { PseudoTerminal } from "./pseudo_terminal.ts";
import { Terminal } from "./terminal.ts";

export interface TerminalOptions extends Pick<SpawnOptions, "command" | "args" | "env" | "cwd"> {
  columns: number;
  rows: number;
}

/** The terminals of the sandbox that are open, by the pid of who leads the session in each. */
export class Terminals {
  readonly #identity: Identity;
  readonly #processes: ProcessTable;
  readonly #max: number;
  readonly #open = new Map<number, Terminal>();

  constructor(identity: Identity, processes: ProcessTable, max: number) {
    this.#identity = identity;
    this.#processes = processes;
    this.#max = max;
  }

  open({ columns, rows, ...program }: TerminalOptions): Terminal {
    if (this.#open.size >= this.#max) {
      throw new PaddockError("TOO_MANY_TERMINALS", {
        message: `${this.#open.size} terminals are open in the sandbox, the most it may have.`,
        details: { limit: "terminals", max: this.#max },
      });
    }
    const pty = new PseudoTerminal(columns, rows);
    try {
      const process = this.#processes.spawn({
        ...program,
        kind: "command",
        stdin: "null",
        stdout: "null",
        stderr: "null",
        terminal: pty.path,
      });
      const { pid } = process;
      const terminal = new Terminal(this.#identity, process, pty, () => {
        if (this.#open.get(pid) === terminal) this.#open.delete(pid);
      });
      this.#open.set(pid, terminal);
      return terminal;
    } catch (error) {
      pty.close();
      throw error;
    }
  }

  /** What happens to a terminal that has just closed is nobody's mistake. */
  resize(pid: number, columns: number, rows: number): void {
    const terminal = this.#open.get(pid);
    if (terminal) return terminal.resize(columns, rows);
    if (!this.#processes.get(pid).exit) {
      throw new TypeError(`Process ${pid} has no terminal`);
    }
  }
}
