import type { AgentConfig } from "../config.ts";
import { below } from "../fs/paths.ts";
import type { Environment } from "../process/environment.ts";
import type { Terminal } from "../process/terminal.ts";
import type { Terminals } from "../process/terminals.ts";
import type { Handlers } from "./handlers.ts";

const DEFAULT_TERM = "xterm-256color";

export interface TerminalServices {
  config: AgentConfig;
  environment: Environment;
  terminals: Terminals;
}

/** Programs that somebody sits in front of. */
export function terminalHandlers(
  { config, environment, terminals }: TerminalServices,
): Pick<Handlers, "paddock.spawnPty" | "paddock.resizePty"> {
  const { home } = config.account;
  return {
    "paddock.spawnPty": (input, call) => {
      let terminal: Terminal;
      try {
        terminal = terminals.open({
          command: input.command,
          args: input.args ?? [],
          env: {
            TERM: input.term ?? DEFAULT_TERM,
            ...environment.forCommand(input.env, input.clearEnv),
          },
          cwd: input.cwd === undefined ? home : below(home, input.cwd),
          columns: input.columns,
          rows: input.rows,
        });
      } catch (error) {
        call.refuse(input.stdinStreamId, error);
        throw error;
      }
      terminal.feed(call.receive(input.stdinStreamId));
      return { pid: terminal.process.pid, outputStreamId: call.send(terminal.output) };
    },
    "paddock.resizePty": ({ pid, columns, rows }) => terminals.resize(pid, columns, rows),
  };
}
