import { type Checkpoint, Client } from "@paddock/sandbox";
import { clientOptions, openApi, sandboxPath } from "../connection.ts";
import { formatBytes, formatDuration, formatTable } from "../format.ts";
import { printJson, printLine, printNote } from "../output.ts";
import type { ConnectionOptions, JsonOption } from "./options.ts";

type Options = ConnectionOptions & JsonOption;

export async function createCheckpointCommand(
  id: string,
  name: string | undefined,
  options: Options,
): Promise<void> {
  const made = await (await openApi(options)).post<{ id: string }>(
    `${sandboxPath(id)}/checkpoint`,
    { name },
  );
  if (options.json) printJson(made);
  else printLine(made.id);
}

export async function listCheckpointsCommand(options: Options & { quiet?: boolean }) {
  const items = await new Client(clientOptions(options)).checkpoints.list();
  if (options.json) printJson(items);
  else if (options.quiet) { for (const { id } of items) printLine(id); }
  else if (items.length === 0) printNote("No checkpoints.");
  else printLine(renderCheckpoints(items, Date.now()));
}

export async function removeCheckpointsCommand(names: string[], options: Options): Promise<void> {
  const { checkpoints } = new Client(clientOptions(options));
  for (const name of names) {
    await checkpoints.delete(name);
    if (!options.json) printLine(name);
  }
  if (options.json) printJson({ deleted: names });
}

export function renderCheckpoints(items: Checkpoint[], now: number): string {
  return formatTable(
    ["NAME", "SIZE", "MEMORY", "DRIVER", "AGE", "SANDBOX", "ID"],
    items.map((item) => [
      item.name ?? "",
      formatBytes(item.bytes),
      formatBytes(item.memoryMb * 1024 ** 2),
      item.driver,
      formatDuration(now - item.createdAt.getTime()),
      item.sandboxId,
      item.id,
    ]),
  );
}
