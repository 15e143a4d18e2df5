import type { Command } from "commander";
import { connectionOptions, examples, jsonOption } from "./options.ts";

export function addCheckpointCommands(program: Command): void {
  const checkpoint = program.command("checkpoint")
    .summary("sandboxes as they were at one moment")
    .description("Makes, lists and deletes checkpoints of running sandboxes.");
  addCreate(checkpoint);
  addList(checkpoint);
  addRemove(checkpoint);
}

function addCreate(parent: Command): void {
  const command = parent.command("create")
    .summary("make a checkpoint of a sandbox and print its id")
    .description(
      "Keeps a running sandbox as it is now, its memory, processes and files included. The sandbox goes " +
        "on; TCP connections of its programs break.",
    )
    .argument("<id>", "the sandbox")
    .argument("[name]", "the checkpoint's name");
  connectionOptions(jsonOption(command));
  examples(command, [
    ["paddock checkpoint create $id ready", "as it is now"],
    ["paddock create --checkpoint ready", "go on from there, any number of times"],
  ]);
  command.action(async (id, name, options) => {
    const { createCheckpointCommand } = await import("./checkpoint.ts");
    await createCheckpointCommand(id, name, options);
  });
}

function addList(parent: Command): void {
  const command = parent.command("ls").alias("list")
    .summary("list checkpoints")
    .description("Lists the organisation's checkpoints, newest first.")
    .option("-q, --quiet", "print ids alone");
  connectionOptions(jsonOption(command));
  examples(command, [["paddock checkpoint ls", "all of them"]]);
  command.action(async (options) => {
    const { listCheckpointsCommand } = await import("./checkpoint.ts");
    await listCheckpointsCommand(options);
  });
}

function addRemove(parent: Command): void {
  const command = parent.command("rm").alias("delete")
    .summary("delete checkpoints")
    .description("Deletes checkpoints. Sandboxes that were made from them live on.")
    .argument("<checkpoint...>", "their ids or names");
  connectionOptions(jsonOption(command));
  examples(command, [["paddock checkpoint rm ready", "one"]]);
  command.action(async (names, options) => {
    const { removeCheckpointsCommand } = await import("./checkpoint.ts");
    await removeCheckpointsCommand(names, options);
  });
}
