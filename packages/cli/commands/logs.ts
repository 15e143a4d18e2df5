import process from "node:process";
import { sandboxMetadataSchema } from "@paddock/protocol";
import { openApi, sandboxPath } from "../connection.ts";
import { printJson, printNote } from "../output.ts";
import type { ConnectionOptions, JsonOption } from "./options.ts";

export async function logsCommand(
  id: string,
  options: ConnectionOptions & JsonOption,
): Promise<void> {
  const api = await openApi(options);
  const logs = await api.text(`${sandboxPath(id)}/logs`);
  const { endReason, stoppedAt } = sandboxMetadataSchema.parse(
    JSON.parse(await api.text(sandboxPath(id))),
  );
  if (options.json) {
    printJson({ id, logs, endReason, stoppedAt });
    return;
  }
  const text = process.stdout.isTTY ? harmless(logs) : logs;
  process.stdout.write(text === "" || text.endsWith("\n") ? text : `${text}\n`);
  if (endReason !== null) {
    printNote(`paddock: ${id} has stopped (${endReason})${stoppedAt ? ` at ${stoppedAt}` : ""}`);
  }
}

/** The guest wrote this: on a terminal its escape sequences are shown instead of obeyed. */
function harmless(text: string): string {
  return text.replace(
    // deno-lint-ignore no-control-regex
    /[\x00-\x08\x0b-\x1f\x7f-\x9f]/g,
    (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`,
  );
}
