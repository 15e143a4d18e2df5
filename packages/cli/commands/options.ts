import { type Command, Option } from "commander";

export interface ConnectionOptions {
  endpoint?: string;
  token?: string;
}

export interface JsonOption {
  json?: boolean;
}

/** Every command that talks to a server takes these; the rest comes from the environment. */
export function connectionOptions(command: Command): Command {
  return command
    .addOption(new Option("--endpoint <url>", "the server's address"))
    .addOption(
      new Option("--token <token>", "the token (safer: PADDOCK_TOKEN, which `ps` does not show)"),
    );
}

export function jsonOption(command: Command, what = "print JSON"): Command {
  return command.option("--json", what).option("--verbose", "print an error's stack");
}

export function dataDirOption(command: Command): Command {
  return command
    .option("--data-dir <dir>", "where records and images are (default: /var/lib/paddock)")
    .option("--config <file>", "a JSON file of settings");
}

export interface DataDirOptions {
  dataDir?: string;
  config?: string;
}

/** Examples at the end of a command's help, with what each does. */
export function examples(command: Command, lines: [command: string, does: string][]): Command {
  const width = Math.max(...lines.map(([text]) => text.length));
  const text = lines.map(([example, does]) => `  ${example.padEnd(width)}  ${does}`.trimEnd());
  return command.addHelpText("after", `\nExamples:\n${text.join("\n")}`);
}
