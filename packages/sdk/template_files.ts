import type { CheckedTemplateDefinition } from "@paddock/protocol";
import { realpath } from "node:fs/promises";
import { basename, join, posix, sep } from "node:path";
import { TemplateBuildError } from "./template_build_error.ts";

const HOME = "/home/sandbox";

/** A file or folder that goes into a template. */
export interface TemplateFile {
  /** The field of the definition. */
  step: string;
  local: string;
  /** Absolute, in the sandbox. */
  to: string;
  root: boolean;
}

/** Where the files of a definition are, before anything is made: all in its folder, links followed. */
export async function findTemplateFiles(
  { files = [] }: CheckedTemplateDefinition,
  directory: string,
): Promise<TemplateFile[]> {
  if (files.length === 0) return [];
  const folder = await realpath(directory);
  return await Promise.all(files.map(async ({ from, to, root = false }, index) => {
    const step = `files[${index}]`;
    const local = await realpath(join(folder, from)).catch((cause) => {
      throw new TemplateBuildError(step, `${from} is not in ${folder}`, { cause });
    });
    if (local !== folder && !local.startsWith(folder + (folder.endsWith(sep) ? "" : sep))) {
      throw new TemplateBuildError(step, `${from} is a link that leads out of ${folder}`);
    }
    const target = to.endsWith("/") ? posix.join(to, basename(local)) : to;
    return { step, local, to: posix.resolve(HOME, target), root };
  }));
}

/**
 * Puts what was uploaded in its place: what is a directory there already is added to. The first argument is
 * where it is, the second where it goes.
 */
export const PLACE_SCRIPT = `set -e
mkdir -p -- "$(dirname -- "$2")"
if [ -e "$2" ]; then
  cp -dRT --preserve=mode,timestamps -- "$1" "$2"
  rm -rf -- "$1"
else
  mv -T -- "$1" "$2"
fi`;
