import { listSandboxes, openApi, type SandboxItem } from "../connection.ts";
import { formatBytes, formatDuration, formatLabels, formatTable } from "../format.ts";
import { printJson, printLine, printNote } from "../output.ts";
import type { ConnectionOptions, JsonOption } from "./options.ts";

interface ListOptions extends ConnectionOptions, JsonOption {
  all?: boolean;
  quiet?: boolean;
  label?: Record<string, string>;
}

export async function listCommand(options: ListOptions): Promise<void> {
  const api = await openApi(options);
  const items = await listSandboxes(api, {
    labels: options.label,
    status: options.all ? "all" : "running",
  });
  if (options.json) printJson(items);
  else if (options.quiet) { for (const { id } of items) printLine(id); }
  else if (items.length === 0) printNote(options.all ? "No sandboxes." : "No running sandboxes.");
  else printLine(renderList(items, Date.now()));
}

export function renderList(items: SandboxItem[], now: number): string {
  return formatTable(
    ["ID", "STATE", "DRIVER", "AGE", "REMAINING", "MEMORY", "LABELS"],
    items.map((item) => [
      item.id,
      item.endReason ? `${item.status} (${item.endReason})` : item.status,
      item.driver ?? "",
      formatDuration(now - Date.parse(item.createdAt)),
      remaining(item, now),
      item.memoryMb === undefined ? "" : formatBytes(item.memoryMb * 1024 ** 2),
      formatLabels(item.labels),
    ]),
  );
}

function remaining(item: SandboxItem, now: number): string {
  if (item.stoppedAt !== null) return "";
  return item.stopAt ? formatDuration(Date.parse(item.stopAt) - now) : "session";
}
