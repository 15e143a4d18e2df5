import manifest from "./deno.json" with { type: "json" };

export const version: string = manifest.version;
