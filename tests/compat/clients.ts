import { mkdir, symlink, writeFile } from "node:fs/promises";
import { repository } from "../harness.ts";

export type ClientVersion = "0.2.2" | "0.10.0" | "0.13.2";

/** Directory below node_modules that holds each published client, unmodified. */
export const clientFolders: Record<ClientVersion, string> = {
  "0.2.2": "deno_sandbox_0_2",
  "0.10.0": "deno_sandbox_0_10",
  "0.13.2": "deno_sandbox_0_13",
};

export const clientVersions = Object.keys(clientFolders) as ClientVersion[];

export function clientPath(version: ClientVersion): string {
  return `${repository}/node_modules/${clientFolders[version]}`;
}

/**
 * A package that depends on one published client under its real name, so that a program says
 * `import … from "@deno/sandbox"` as the client's README does.
 */
export async function makeClientProject(folder: string, version: ClientVersion): Promise<void> {
  await mkdir(`${folder}/node_modules/@deno`, { recursive: true });
  await symlink(clientPath(version), `${folder}/node_modules/@deno/sandbox`);
  const manifest = { type: "module", private: true, dependencies: { "@deno/sandbox": version } };
  await writeFile(`${folder}/package.json`, JSON.stringify(manifest));
  await writeFile(`${folder}/deno.json`, JSON.stringify({ nodeModulesDir: "manual", lock: false }));
}
