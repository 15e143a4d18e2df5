import type { Command } from "commander";
import { connectionOptions, examples, jsonOption } from "./options.ts";

export function addTemplateCommands(program: Command): void {
  const template = program.command("template")
    .summary("what sandboxes are made from: software and running programs, ready")
    .description("Builds, lists and deletes templates.");
  addBuild(template);
  addList(template);
  addRemove(template);
}

function addBuild(parent: Command): void {
  const command = parent.command("build")
    .summary("build a template and print its name")
    .description(
      "Builds a template from a definition: a JSON file, or the template.json of a folder. It is built in a " +
        "sandbox of its own. One that has the name makes way when the new one is whole. What has not " +
        "changed since it was built is not built again.",
    )
    .argument("<file|dir>", "the definition")
    .option("--name <name>", "another name than the definition's")
    .option("--force", "build even if nothing has changed")
    .option("-q, --quiet", "print nothing of what happens");
  connectionOptions(jsonOption(command));
  examples(command, [
    ["paddock template build ./node-app", "what node-app/template.json says"],
    ["paddock template build python.json --name py", "from a file, under another name"],
    ["paddock create --template node-app", "a sandbox of it"],
  ]);
  command.action(async (path, options) => {
    const { buildTemplateCommand } = await import("./template.ts");
    await buildTemplateCommand(path, options);
  });
}

function addList(parent: Command): void {
  const command = parent.command("ls").alias("list")
    .summary("list templates")
    .description("Lists the organisation's templates, newest first.")
    .option("-q, --quiet", "print names alone");
  connectionOptions(jsonOption(command));
  examples(command, [["paddock template ls", "all of them"]]);
  command.action(async (options) => {
    const { listTemplatesCommand } = await import("./template.ts");
    await listTemplatesCommand(options);
  });
}

function addRemove(parent: Command): void {
  const command = parent.command("rm").alias("delete")
    .summary("delete templates")
    .description("Deletes templates. Sandboxes that were made from them live on.")
    .argument("<template...>", "their names or ids");
  connectionOptions(jsonOption(command));
  examples(command, [["paddock template rm node-app", "one"]]);
  command.action(async (names, options) => {
    const { removeTemplatesCommand } = await import("./template.ts");
    await removeTemplatesCommand(names, options);
  });
}
