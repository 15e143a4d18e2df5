import { Sandbox } from "@paddock/sandbox";
import { clientOptions } from "../connection.ts";
import { printJson, printLine } from "../output.ts";
import type { ConnectionOptions, JsonOption } from "./options.ts";

export interface CreationOptions extends ConnectionOptions {
  memory?: number;
  label?: Record<string, string>;
  env?: Record<string, string>;
  region?: string;
}

export async function createCommand(
  options: CreationOptions & JsonOption & { timeout: `${number}s` | `${number}m` },
): Promise<void> {
  const sandbox = await Sandbox.create({ ...creation(options), timeout: options.timeout });
  const { id } = sandbox;
  await sandbox.close();
  if (options.json) printJson({ id });
  else printLine(id);
}

export function creation(options: CreationOptions) {
  return {
    ...clientOptions(options),
    ...options.memory !== undefined && { memory: options.memory },
    ...options.label && { labels: options.label },
    ...options.env && { env: options.env },
    ...options.region && { region: options.region },
  };
}
