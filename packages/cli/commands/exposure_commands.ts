import { type Command } from "commander";
import { parseDurationArgument, parsePort } from "../parse_values.ts";
import { connectionOptions, examples, jsonOption } from "./options.ts";

export function addExposureCommands(program: Command): void {
  addExpose(program);
  addExposures(program);
  addUnexpose(program);
}

function addExpose(program: Command): void {
  const command = program.command("expose")
    .summary("give a server in a sandbox a public address")
    .description(
      "Makes the HTTP server on a port of a sandbox reachable at https://NAME.BASE-DOMAIN, and prints " +
        "that address. Whoever knows it can visit, unless it is protected. It ends with the sandbox.",
    )
    .argument("<id>", "the sandbox")
    .argument("<port>", "where the server in it listens", parsePort)
    .option("--name <name>", "the address's first part (default: one that cannot be guessed)")
    .option("--protected", "visitors need a token, which is printed once")
    .option(
      "--link <duration>",
      "protect it, and print a link that opens it for so long: 90s, 10m, 2h",
      parseDurationArgument,
    );
  connectionOptions(jsonOption(command));
  examples(command, [
    ["paddock expose $id 8000", "what listens on port 8000"],
    ["paddock expose $id 3000 --name shop", "at https://shop.…"],
    ["paddock expose $id 3000 --link 1h", "for whom the link is given, for an hour"],
    ['curl --cacert "$(paddock ca)" "$(paddock expose $id 8000)"', "visited at once"],
  ]);
  command.action(async (id, port, options) => {
    const { exposeCommand } = await import("./expose.ts");
    await exposeCommand(id, port, options);
  });
}

function addExposures(program: Command): void {
  const command = program.command("exposures")
    .summary("list a sandbox's public addresses")
    .description("Lists the public addresses and SSH accesses of a sandbox, oldest first.")
    .argument("<id>", "the sandbox");
  connectionOptions(jsonOption(command));
  examples(command, [["paddock exposures $id", "what is reachable from outside?"]]);
  command.action(async (id, options) => {
    const { exposuresCommand } = await import("./expose.ts");
    await exposuresCommand(id, options);
  });
}

function addUnexpose(program: Command): void {
  const command = program.command("unexpose")
    .summary("take public addresses back")
    .description(
      "Withdraws public addresses or SSH accesses: visitors find nothing there any more.",
    )
    .argument("<id>", "the sandbox")
    .argument("<name...>", "names, as `paddock exposures` prints them");
  connectionOptions(jsonOption(command));
  examples(command, [["paddock unexpose $id shop", "one"]]);
  command.action(async (id, names, options) => {
    const { unexposeCommand } = await import("./expose.ts");
    await unexposeCommand(id, names, options);
  });
}
