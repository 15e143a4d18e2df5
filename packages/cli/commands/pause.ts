import { openApi, sandboxPath } from "../connection.ts";
import { printJson, printLine } from "../output.ts";
import type { ConnectionOptions, JsonOption } from "./options.ts";

export async function pauseCommand(
  what: "pause" | "resume",
  ids: string[],
  options: ConnectionOptions & JsonOption,
): Promise<void> {
  const api = await openApi(options);
  const items: { id: string }[] = [];
  for (const id of ids) items.push(await api.post(`${sandboxPath(id)}/${what}`, {}));
  if (options.json) printJson(items);
  else for (const { id } of items) printLine(id);
}
