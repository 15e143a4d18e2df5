import type { Command } from "commander";
import { collectPairs, parseCount, parseDurationArgument } from "../parse_values.ts";
import { connectionOptions, examples, jsonOption } from "./options.ts";

export function addForkCommands(program: Command): void {
  addFork(program);
  addTree(program);
  addPause(program);
  addResume(program);
}

function addPause(program: Command): void {
  const command = program.command("pause")
    .summary("write sandboxes to the disk and end their machines")
    .description(
      "Pauses sandboxes: each goes on where it stood at the next command, visitor or SSH connection. Its " +
        "time stands still. TCP connections of its programs break.",
    )
    .argument("<id...>", "the sandboxes");
  connectionOptions(jsonOption(command));
  examples(command, [["paddock pause $id", "until it is needed again"]]);
  command.action(async (ids, options) => {
    const { pauseCommand } = await import("./pause.ts");
    await pauseCommand("pause", ids, options);
  });
}

function addResume(program: Command): void {
  const command = program.command("resume")
    .summary("let paused sandboxes go on")
    .description("Resumes paused sandboxes. So does whatever is asked of one.")
    .argument("<id...>", "the sandboxes");
  connectionOptions(jsonOption(command));
  examples(command, [["paddock resume $id", "before somebody waits for it"]]);
  command.action(async (ids, options) => {
    const { pauseCommand } = await import("./pause.ts");
    await pauseCommand("resume", ids, options);
  });
}

function addFork(program: Command): void {
  const command = program.command("fork")
    .summary("make running copies of a sandbox and print their ids")
    .description(
      "Makes copies of a running sandbox, its memory, processes and files included. The copies and the " +
        "original go on from the same moment. TCP connections of its programs break.",
    )
    .argument("<id>", "the sandbox")
    .option("-n, --count <number>", "how many", parseCount, 1)
    .option(
      "-t, --timeout <duration>",
      "how long they live (default: as the original)",
      parseDurationArgument,
    )
    .option(
      "-l, --label <key=value>",
      "a label, in place of the original's; repeatable",
      collectPairs("label"),
    );
  connectionOptions(jsonOption(command));
  examples(command, [
    ["paddock fork $id", "one more of it"],
    ["paddock fork $id -n 3 -l try=1", "three, with a label"],
    ["paddock tree", "which is whose copy"],
  ]);
  command.action(async (id, options) => {
    const { forkCommand } = await import("./fork.ts");
    await forkCommand(id, options);
  });
}

function addTree(program: Command): void {
  const command = program.command("tree")
    .summary("list sandboxes below those that they are forks of")
    .description("Lists running sandboxes, each below the sandbox that it is a fork of.");
  connectionOptions(jsonOption(command));
  examples(command, [["paddock tree", "what runs now"]]);
  command.action(async (options) => {
    const { treeCommand } = await import("./tree.ts");
    await treeCommand(options);
  });
}
