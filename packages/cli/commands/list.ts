import { Client, type SandboxMetadata } from "@paddock/sandbox";
import { clientOptions } from "../connection.ts";
import { formatBytes, formatDuration, formatLabels, formatTable } from "../format.ts";
import { printJson, printLine, printNote } from "../output.ts";
import type { ConnectionOptions, JsonOption } from "./options.ts";

interface ListOptions extends ConnectionOptions, JsonOption {
  all?: boolean;
  quiet?: boolean;
  label?: Record<string, string>;
}

export async function listCommand(options: ListOptions): Promise<void> {
  const items = await new Client(clientOptions(options)).sandboxes.list({
    labels: options.label,
    status: options.all ? "all" : "running",
  });
  if (options.json) printJson(items);
  else if (options.quiet) { for (const { id } of items) printLine(id); }
  else if (items.length === 0) printNote(options.all ? "No sandboxes." : "No running sandboxes.");
  else printLine(renderList(items, Date.now()));
}

export function renderList(items: SandboxMetadata[], now: number): string {
  return formatTable(
    ["ID", "STATE", "DRIVER", "AGE", "REMAINING", "MEMORY", "LABELS"],
    items.map((item) => [
      item.id,
      item.endReason ? `${item.status} (${item.endReason})` : item.status,
      item.driver,
      formatDuration(now - item.createdAt.getTime()),
      remaining(item, now),
      formatBytes(item.memoryMb * 1024 ** 2),
      formatLabels(item.labels),
    ]),
  );
}

function remaining(item: SandboxMetadata, now: number): string {
  if (item.stoppedAt !== null) return "";
  return item.stopAt ? formatDuration(item.stopAt.getTime() - now) : "session";
}
