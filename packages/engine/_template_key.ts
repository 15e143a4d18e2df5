import type { DriverName } from "@paddock/driver";
import type { LimitValues } from "@paddock/protocol";

/** Everything that a template's content depends on. A change of any of it asks for another one. */
export interface TemplateInputs {
  driver: DriverName;
  driverVersion: string;
  /** The agent is part of the image. */
  imageDigest: string;
  imageEnv: Record<string, string>;
  limits: LimitValues;
  /** Only where a checkpoint cannot be restored with another size. */
  memoryBytes: number | "any";
  /** What is in the layers, where guests see them as they were. */
  layers: string | "any";
}

/** Raised by hand when what the agent or engine does to a template changes. */
const LAYOUT = 1;

/** A name for a directory. */
export async function templateKey(inputs: TemplateInputs): Promise<string> {
  const text = JSON.stringify({ ...inputs, limits: sorted(inputs.limits), layout: LAYOUT });
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return new Uint8Array(digest).slice(0, 16).toHex();
}

function sorted(limits: LimitValues): [string, number][] {
  return Object.entries(limits).sort(([a], [b]) => a < b ? -1 : 1);
}
