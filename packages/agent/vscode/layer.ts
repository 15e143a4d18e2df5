import { PaddockError } from "@paddock/protocol";
import { sleepUntil } from "./sleep.ts";

/** Where the driver shows what sandboxes of this host share. */
const LAYERS = "/opt/paddock/layers";
/** What of the layer's shape this agent knows: its `start.cjs`, `bin/node`, `cache` and `light`. */
const LAYOUT = 3;
const POLL_MS = 250;

export interface VscodeLayer {
  path: string;
  /** Where extensions come from, when the layer knows. */
  marketplace?: string;
}

/**
 * The newest VS Code that the host has for its sandboxes. While one is being installed it is waited for,
 * until `signal` says that it takes too long.
 */
export async function findVscodeLayer(
  signal: AbortSignal,
  layers: string = LAYERS,
): Promise<VscodeLayer> {
  for (;;) {
    const names = namesIn(layers);
    const found = newest(layers, names);
    if (found) return found;
    if (!names.some((name) => name.startsWith(".tmp-"))) throw new PaddockError("VSCODE_NOT_READY");
    if (!await sleepUntil(POLL_MS, signal)) {
      throw new PaddockError("VSCODE_NOT_READY", {
        message: "This Paddock is still installing VS Code.",
        hint: "Try again in a minute.",
      });
    }
  }
}

function namesIn(directory: string): string[] {
  try {
    return [...Deno.readDirSync(directory)].map((entry) => entry.name);
  } catch {
    // An image of before there were layers.
    return [];
  }
}

function newest(layers: string, names: string[]): VscodeLayer | undefined {
  let best: { createdAt: string; layer: VscodeLayer } | undefined;
  for (const name of names.filter((name) => name.startsWith("vscode-"))) {
    const path = `${layers}/${name}`;
    try {
      const { layout, createdAt, marketplace } = JSON.parse(
        Deno.readTextFileSync(`${path}/manifest.json`),
      );
      if (layout !== LAYOUT || (best && best.createdAt > createdAt)) continue;
      best = { createdAt, layer: { path, marketplace: marketplace ?? undefined } };
    } catch {
      // One that goes away at this moment.
    }
  }
  return best?.layer;
}
