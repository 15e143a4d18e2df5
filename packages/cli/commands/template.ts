import { constants } from "node:os";
import { dirname, join } from "node:path";
import {
  Client,
  type Template,
  TemplateBuildError,
  type TemplateDefinition,
} from "@paddock/sandbox";
import { CliError } from "../cli_error.ts";
import { clientOptions } from "../connection.ts";
import { exitCodes } from "../exit_codes.ts";
import { formatBytes, formatDuration, formatTable, visible } from "../format.ts";
import { printJson, printLine, printNote } from "../output.ts";
import { onSignals } from "../signals.ts";
import type { ConnectionOptions, JsonOption } from "./options.ts";

type Options = ConnectionOptions & JsonOption;

export async function buildTemplateCommand(
  path: string,
  { name, force, quiet, ...options }: Options & {
    name?: string;
    force?: boolean;
    quiet?: boolean;
  },
): Promise<void> {
  const { definition, directory } = await readDefinition(path);
  const named = name === undefined ? definition : { ...definition, name };
  const stopped = new AbortController();
  using _signals = onSignals(["SIGINT", "SIGTERM"], (signal) => {
    const exitCode = exitCodes.signalBase + constants.signals[signal];
    stopped.abort(new CliError("interrupted; no template was built", { exitCode }));
  });
  const log = quiet || options.json ? undefined : new BuildLog();
  const { templates } = new Client(clientOptions(options));
  const template = await templates.build(named, {
    ...{ directory, force, signal: stopped.signal, onLog: (entry) => log?.add(entry) },
  }).catch((error) => {
    // What it printed is above already.
    if (log && error instanceof TemplateBuildError) {
      error.message = `${error.step}: ${error.problem}`;
    }
    throw error;
  }).finally(() => log?.end());
  if (options.json) return printJson(template);
  if (template.reused && !quiet) printNote("Nothing has changed since it was built.");
  printLine(template.name);
}

/** What happens, a line each: a step's name, and below it what it prints, which is a sandbox's own. */
class BuildLog {
  #line = "";

  add({ step, text }: { step: string; text?: string }): void {
    if (text === undefined) {
      this.end();
      return printNote(step);
    }
    const lines = (this.#line + text).split("\n");
    this.#line = lines.pop()!;
    for (const line of lines) this.#print(line);
  }

  end(): void {
    if (this.#line !== "") this.#print(this.#line);
    this.#line = "";
  }

  #print(line: string): void {
    // Of a bar that redraws itself the last state.
    printNote(`  ${visible(line.replace(/\r$/, "").replace(/^.*\r/s, ""))}`);
  }
}

async function readDefinition(
  path: string,
): Promise<{ definition: TemplateDefinition; directory: string }> {
  let file = path;
  try {
    if ((await Deno.stat(path)).isDirectory) file = join(path, "template.json");
    return { definition: JSON.parse(await Deno.readTextFile(file)), directory: dirname(file) };
  } catch (cause) {
    const message = cause instanceof SyntaxError
      ? `${file} is not JSON: ${cause.message}`
      : `${file} cannot be read: ${(cause as Error).message}`;
    throw new CliError(message, { cause, hint: "docs/templates.md says what it may have" });
  }
}

export async function listTemplatesCommand(options: Options & { quiet?: boolean }): Promise<void> {
  const items = await new Client(clientOptions(options)).templates.list();
  if (options.json) printJson(items);
  else if (options.quiet) { for (const { name } of items) printLine(name); }
  else if (items.length === 0) printNote("No templates.");
  else printLine(renderTemplates(items, Date.now()));
}

export async function removeTemplatesCommand(names: string[], options: Options): Promise<void> {
  const { templates } = new Client(clientOptions(options));
  for (const name of names) {
    await templates.delete(name);
    if (!options.json) printLine(name);
  }
  if (options.json) printJson({ deleted: names });
}

export function renderTemplates(items: Template[], now: number): string {
  return formatTable(
    ["NAME", "SIZE", "MEMORY", "DRIVER", "AGE", "ID"],
    items.map((item) => [
      item.name,
      formatBytes(item.bytes),
      formatBytes(item.memoryMb * 1024 ** 2),
      item.driver,
      formatDuration(now - item.createdAt.getTime()),
      item.id,
    ]),
  );
}
