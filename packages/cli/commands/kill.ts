import process from "node:process";
import { Client } from "@paddock/sandbox";
import { usageError } from "../cli_error.ts";
import { clientOptions, openApi, sandboxPath } from "../connection.ts";
import { exitCodes } from "../exit_codes.ts";
import { printJson, printLine, printNote } from "../output.ts";
import { describeError } from "../report_error.ts";
import type { ConnectionOptions, JsonOption } from "./options.ts";

interface KillOptions extends ConnectionOptions, JsonOption {
  all?: boolean;
  label?: Record<string, string>;
}

export async function killCommand(given: string[], options: KillOptions): Promise<void> {
  const byFilter = options.all === true || options.label !== undefined;
  if (given.length === 0 && !byFilter) {
    throw usageError("nothing to end", "name sandboxes, or use --label or --all");
  }
  if (given.length > 0 && byFilter) {
    throw usageError("ids and a filter together", "name sandboxes, or use --label or --all");
  }
  const api = await openApi(options);
  const ids = byFilter ? await matching(options) : [...new Set(given)];
  if (ids.length === 0) printNote("No running sandboxes match.");
  const results = await Promise.all(ids.map(async (id) => {
    try {
      await api.delete(sandboxPath(id));
      return { id, killed: true };
    } catch (error) {
      return { id, killed: false, error: describeError(error) };
    }
  }));
  if (options.json) {
    printJson(results.map(({ id, killed, error }) => ({
      id,
      killed,
      ...error && { code: error.code, message: error.message },
    })));
  } else {
    for (const { id, error } of results) {
      if (error) printNote(`paddock: ${id}: ${error.message}`);
      else printLine(id);
    }
  }
  if (results.some(({ killed }) => !killed)) process.exitCode = exitCodes.failure;
}

async function matching(options: KillOptions): Promise<string[]> {
  const { sandboxes } = new Client(clientOptions(options));
  return (await sandboxes.list({ labels: options.label })).map(({ id }) => id);
}
