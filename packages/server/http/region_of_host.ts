import type { Region } from "@paddock/protocol";

/**
 * Client 0.2 and clients with a base domain name the region in the host: `ord.sandbox.example`.
 * Any other first label means no region was chosen.
 */
export function regionOfHost(
  host: string | undefined,
  regions: readonly Region[],
): string | undefined {
  const label = host?.split(".", 1)[0].toLowerCase();
  if (label === undefined || !host!.includes(".")) return undefined;
  return regions.find(({ code, aliases }) => code === label || aliases.includes(label))?.code;
}
