import { parseArgs } from "node:util";

export interface Flags {
  json: string | undefined;
  charts: string | undefined;
  count: number | undefined;
  quick: boolean;
  wanted: string[];
}

export const usage =
  "npm run bench -- [--json FILE] [--charts DIRECTORY] [--quick] [--count N|max] [NAME…]";

/** What a command line asks for; the text of what is wrong with it otherwise. */
export function readFlags(args: string[], scenarios: string[]): Flags | string {
  let parsed;
  try {
    parsed = parseArgs({
      args,
      options: {
        json: { type: "string" },
        charts: { type: "string" },
        count: { type: "string" },
        quick: { type: "boolean", default: false },
        help: { type: "boolean", default: false },
      },
      allowPositionals: true,
    });
  } catch (error) {
    return (error as Error).message;
  }
  const { values: { json, charts, count: given, quick, help }, positionals: wanted } = parsed;
  if (help) return `Scenarios: ${scenarios.join(", ")}`;
  const count = given === undefined ? undefined : given === "max" ? Infinity : Number(given);
  if (count !== undefined && !(count >= 1)) {
    return `--count takes a number or "max", not "${given}"`;
  }
  if (count === Infinity && wanted.join() !== "density") return "--count max is for density alone";
  const unknown = wanted.find((name) => !scenarios.includes(name));
  if (unknown !== undefined) {
    return `unknown scenario "${unknown}"; there are: ${scenarios.join(", ")}`;
  }
  return { json, charts, count, quick, wanted };
}
