import { type Command } from "commander";
import { parseGatewayListen, parseListen } from "../parse_values.ts";
import { dataDirOption, examples, jsonOption } from "./options.ts";

export function addDaemonCommands(program: Command): void {
  addServe(program);
  addStop(program);
  addToken(program);
}

function addServe(program: Command): void {
  const command = program.command("serve")
    .summary("run the server")
    .description(
      "Serves the API until SIGTERM or SIGINT, then ends every sandbox and leaves nothing behind. " +
        "Builds the guest image first if this host has none.",
    )
    .option(
      "--listen <host:port>",
      "where; port 0 takes any free one (default: 127.0.0.1:4200)",
      parseListen,
    )
    .option(
      "--ingress-listen <host:port>",
      "where preview URLs are served (default: 4443 on localhost, or any port if that is taken)",
      parseGatewayListen,
    )
    .option(
      "--ssh-listen <host:port>",
      "where SSH is served (default: 4222 on localhost, or any port if that is taken)",
      parseGatewayListen,
    );
  dataDirOption(command)
    .option("--ready-file <file>", "write address and token here (mode 0600) once it can serve")
    .option("--local", "be this machine's own daemon, which programs without an endpoint join")
    .option("--log-level <level>", "debug, info, warn or error")
    .option("--verbose", "print an error's stack");
  examples(command, [
    ["paddock serve", "on 127.0.0.1:4200"],
    ["paddock serve --listen 127.0.0.1:0 --ready-file r.json", "any port; r.json says which"],
    [
      "paddock serve --listen 0.0.0.0:4200 --data-dir /srv/pad",
      "for other machines (put TLS before it)",
    ],
  ]);
  command.addHelpText(
    "after",
    `
The ready file is JSON: api, token, baseDomain, ingress, ca, ssh, pid. It is removed when the server stops.
A second signal stops waiting: what is left is removed at the next start.

Exit codes: 0 stopped cleanly; 1 could not start or stop; 130, 143 forced by a second signal.`,
  );
  command.action(async (options) => {
    const { serveCommand } = await import("./serve.ts");
    await serveCommand(options);
  });
}

function addStop(program: Command): void {
  const command = program.command("stop")
    .summary("stop this machine's own daemon")
    .description("Stops the daemon that `serve --local` or a program started, with its sandboxes.");
  jsonOption(command);
  examples(command, [["paddock stop", "and wait until it is gone"]]);
  command.action(async (options) => {
    const { stopCommand } = await import("./stop.ts");
    await stopCommand(options);
  });
}

function addToken(program: Command): void {
  const token = program.command("token")
    .summary("create, list and revoke tokens")
    .description(
      "Tokens let programs in; each belongs to one organisation and sees its sandboxes alone. " +
        "Works on the data directory itself, also while a server uses it.",
    );

  const create = token.command("create")
    .description("Creates a token and prints it: the only time it can be seen.")
    .option("--name <name>", "what it is for", "cli")
    .option("--org <name>", "its organisation, created when new", "default");
  dataDirOption(jsonOption(create));
  examples(create, [
    ["paddock token create --name laptop", "for the default organisation"],
    ["export PADDOCK_TOKEN=$(paddock token create --org acme)", "for another"],
  ]);
  create.action(async (options) => {
    const { tokenCreate } = await import("./token.ts");
    await tokenCreate(options);
  });

  const list = token.command("ls").alias("list")
    .description("Lists tokens: what they are for, never the tokens themselves.")
    .option("--org <name>", "of this organisation alone")
    .option("-a, --all", "revoked ones too");
  dataDirOption(jsonOption(list));
  examples(list, [["paddock token ls", "with when each was last used"]]);
  list.action(async (options) => {
    const { tokenList } = await import("./token.ts");
    await tokenList(options);
  });

  const revoke = token.command("revoke")
    .description("Revokes tokens; requests with them are refused at once.")
    .argument("<token-id...>", "ids, or unique beginnings of them, as `token ls` prints them");
  dataDirOption(jsonOption(revoke));
  examples(revoke, [["paddock token revoke 1f0c2a9e", ""]]);
  revoke.action(async (ids, options) => {
    const { tokenRevoke } = await import("./token.ts");
    await tokenRevoke(ids, options);
  });
}
