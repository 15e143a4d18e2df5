import type { Duration } from "@paddock/sandbox";
import { openApi, sandboxPath } from "../connection.ts";
import { formatDuration } from "../format.ts";
import { printJson, printLine } from "../output.ts";
import type { ConnectionOptions, JsonOption } from "./options.ts";

export async function extendCommand(
  id: string,
  duration: Duration,
  options: ConnectionOptions & JsonOption,
): Promise<void> {
  const api = await openApi(options);
  const answer = await api.patch<{ stop_at_ms: number }>(sandboxPath(id), {
    stop_at_ms: Date.now() + milliseconds(duration),
  });
  const stopAt = new Date(answer.stop_at_ms);
  if (options.json) printJson({ id, stopAt: stopAt.toISOString() });
  else printLine(`${id} ends in ${formatDuration(stopAt.getTime() - Date.now())}`);
}

function milliseconds(duration: string): number {
  return parseInt(duration) * (duration.endsWith("m") ? 60_000 : 1000);
}
