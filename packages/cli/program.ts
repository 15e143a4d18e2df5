import { Command } from "commander";
import { addDaemonCommands } from "./commands/daemon_commands.ts";
import { addHostCommands } from "./commands/host_commands.ts";
import { addSandboxCommands } from "./commands/sandbox_commands.ts";
import { addTemplateCommands } from "./commands/template_commands.ts";
import { addVolumeCommands } from "./commands/volume_commands.ts";
import { exitCodesHelp } from "./exit_codes.ts";
import { paint } from "./output.ts";
import { version } from "./version.ts";

/** The command line. Each action loads its own code, so that `--help` needs none of it. */
export function createProgram(): Command {
  const program = new Command("paddock")
    .description("Sandboxes on this machine: small Linux machines with Deno in them.")
    .version(version, "-V, --version", "print the version")
    .helpOption("-h, --help", "print help for a command")
    .helpCommand("help [command]", "print help for a command")
    .enablePositionalOptions()
    .showSuggestionAfterError(true)
    .showHelpAfterError("Run the command with --help to see what it takes.")
    .configureOutput({
      outputError: (text, write) => write(text.replace(/^error: /, "paddock: ")),
    })
    .configureHelp({
      styleTitle: (text) => paint(text, "bold"),
      styleCommandText: (text) => paint(text, "cyan"),
      styleOptionText: (text) => paint(text, "cyan"),
    })
    .exitOverride()
    .addHelpText(
      "after",
      `
Start here:
  paddock doctor                          can this machine run sandboxes?
  paddock eval '1 + 1'                    a sandbox for one expression
  id=$(paddock create --timeout 10m)      a sandbox that stays for ten minutes
  paddock exec $id -- uname -a            run a command in it
  paddock kill $id                        throw it away

Which server: --endpoint and --token, else PADDOCK_ENDPOINT and PADDOCK_TOKEN (or the DENO_*
names of the hosted service), else this machine's own daemon, which is started when needed.

${exitCodesHelp}
`,
    );
  program.commandsGroup("Sandboxes:");
  addSandboxCommands(program);
  program.commandsGroup("Storage:");
  addTemplateCommands(program);
  addVolumeCommands(program);
  program.commandsGroup("Server:");
  addDaemonCommands(program);
  program.commandsGroup("This host:");
  addHostCommands(program);
  return program;
}
