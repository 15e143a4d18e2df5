import type { Duration } from "@paddock/sandbox";
import { openApi, sandboxPath } from "../connection.ts";
import { printJson, printLine } from "../output.ts";
import type { ConnectionOptions, JsonOption } from "./options.ts";

interface Options extends ConnectionOptions, JsonOption {
  count: number;
  timeout?: Duration;
  label?: Record<string, string>;
}

export async function forkCommand(
  id: string,
  { count, timeout, label, ...options }: Options,
): Promise<void> {
  const { sandboxes } = await (await openApi(options)).post<{ sandboxes: { id: string }[] }>(
    `${sandboxPath(id)}/fork`,
    { count, timeout, labels: label },
  );
  if (options.json) printJson(sandboxes);
  else for (const fork of sandboxes) printLine(fork.id);
}
