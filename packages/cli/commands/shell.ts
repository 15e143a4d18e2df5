import { Sandbox } from "@paddock/sandbox";
import { clientOptions } from "../connection.ts";
import { withExecExitCodes } from "./exec_failure.ts";
import { expectTerminal, runTerminal } from "../terminal/run_terminal.ts";
import type { ConnectionOptions } from "./options.ts";
import process from "node:process";

interface ShellOptions extends ConnectionOptions {
  env?: Record<string, string>;
  cwd?: string;
}

export async function shellCommand(
  id: string,
  words: string[],
  options: ShellOptions,
): Promise<void> {
  expectTerminal(`In a pipe: \`paddock exec ${id} -- bash\`.`);
  const [command, ...args] = words[0] === "--" ? words.slice(1) : words;
  process.exitCode = await withExecExitCodes(async () => {
    const sandbox = await Sandbox.connect(id, clientOptions(options));
    try {
      const { env, cwd } = options;
      return await runTerminal(
        sandbox,
        command === undefined ? { env, cwd } : {
          command,
          args,
          env,
          cwd,
        },
      );
    } finally {
      await sandbox.close();
    }
  });
}
