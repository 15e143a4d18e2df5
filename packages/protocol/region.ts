import { PaddockError } from "./paddock_error.ts";

export interface Region {
  /** Three letters, part of every sandbox id. */
  code: string;
  /** Other spellings that clients may use. */
  aliases: readonly string[];
}

/** What a server offers when nothing is configured. The first is the default. */
export const defaultRegions: readonly Region[] = [
  { code: "ams", aliases: ["eu-west-1"] },
  { code: "ord", aliases: ["us-east-2"] },
];

/** The region a client means; none named means the first. */
export function resolveRegion(
  name: string | undefined,
  regions: readonly Region[] = defaultRegions,
): Region {
  if (name === undefined) return regions[0];
  const region = regions.find(({ code, aliases }) => code === name || aliases.includes(name));
  if (region) return region;
  const known = regions.map(({ code, aliases }) => [code, ...aliases].join(" or "));
  throw new PaddockError("UNKNOWN_REGION", {
    message: `There is no region "${name.slice(0, 64)}". There are: ${known.join(", ")}.`,
    field: "region",
    details: { regions: regions.map(({ code }) => code) },
  });
}
