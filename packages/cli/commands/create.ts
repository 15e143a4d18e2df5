import { type Duration, Sandbox, type SandboxOptions } from "@paddock/sandbox";
import { clientOptions } from "../connection.ts";
import { printJson, printLine } from "../output.ts";
import type { ConnectionOptions, JsonOption } from "./options.ts";

export interface CreationOptions extends ConnectionOptions {
  memory?: number;
  label?: Record<string, string>;
  env?: Record<string, string>;
  region?: string;
  driver?: SandboxOptions["driver"];
  volume?: Record<string, string>;
  root?: string;
  checkpoint?: string;
  pauseAfterIdle?: Duration;
  template?: string;
}

export async function createCommand(
  options: CreationOptions & JsonOption & { timeout: Duration },
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
    ...options.driver && { driver: options.driver },
    ...options.volume && { volumes: options.volume },
    ...options.checkpoint && { checkpoint: options.checkpoint },
    ...options.pauseAfterIdle && { pauseAfterIdle: options.pauseAfterIdle },
    ...options.template && { template: options.template },
    ...options.root && { root: options.root },
  };
}
