import { below, nameOf, normalize } from "./paths.ts";
import { osError } from "./os_error.ts";

export interface WalkOptions {
  maxDepth?: number;
  includeFiles?: boolean;
  includeDirs?: boolean;
  includeSymlinks?: boolean;
  followSymlinks?: boolean;
  canonicalize?: boolean;
  exts?: string[];
  match?: RegExp[];
  skip?: RegExp[];
}

export interface WalkEntry {
  path: string;
  name: string;
  isFile: boolean;
  isDirectory: boolean;
  isSymlink: boolean;
}

/** How many links may lead from one place to another before it is taken for a circle. */
const MAX_LINKS = 40;

/**
 * A directory and everything below it, in the way `walk` of Deno's standard library does it.
 * `root` is what paths are shown below, `location` where it really is.
 */
export async function* walk(
  root: string,
  location: string,
  options: WalkOptions = {},
): AsyncGenerator<WalkEntry> {
  const settings: Settings = {
    includeFiles: true,
    includeDirs: true,
    includeSymlinks: true,
    followSymlinks: false,
    canonicalize: true,
    ...definedOnly(options),
    exts: options.exts?.map((extension) => extension.startsWith(".") ? extension : `.${extension}`),
  };
  const info = await Deno.stat(location);
  if (!info.isDirectory && !info.isFile) return;
  const top = { ...kindOf(info), path: root, name: nameOf(normalize(location)) };
  if (info.isFile) {
    if (settings.includeFiles && wanted(root, settings)) yield top;
    return;
  }
  yield* walkDirectory(top, location, settings, options.maxDepth ?? Infinity, 0);
}

interface Settings extends WalkOptions {
  includeFiles: boolean;
  includeDirs: boolean;
  includeSymlinks: boolean;
  followSymlinks: boolean;
  canonicalize: boolean;
}

async function* walkDirectory(
  directory: WalkEntry,
  location: string,
  settings: Settings,
  depth: number,
  links: number,
): AsyncGenerator<WalkEntry> {
  if (depth < 0) return;
  if (settings.includeDirs && wanted(directory.path, settings)) yield directory;
  if (depth < 1 || !wanted(directory.path, { skip: settings.skip })) return;
  for await (const found of Deno.readDir(location)) {
    let entry: WalkEntry = { ...found, path: joinShown(directory.path, found.name) };
    let target = below(location, found.name);
    let linked = links;
    if (found.isSymlink) {
      if (!settings.followSymlinks) {
        if (settings.includeSymlinks && wanted(entry.path, settings)) yield entry;
        continue;
      }
      if (++linked > MAX_LINKS) {
        throw osError("ELOOP", `Too many levels of symbolic links: ${entry.path}`);
      }
      const real = await Deno.realPath(target);
      const info = await Deno.lstat(real);
      if (settings.canonicalize) entry = { ...entry, path: real };
      entry = { ...entry, ...kindOf(info) };
      target = real;
    }
    if (entry.isDirectory) {
      yield* walkDirectory(entry, target, settings, depth - 1, linked);
    } else if (settings.includeFiles && wanted(entry.path, settings)) {
      yield entry;
    }
  }
}

function wanted(path: string, { exts, match, skip }: WalkOptions): boolean {
  if (exts && !exts.some((extension) => path.endsWith(extension))) return false;
  if (match && !match.some((pattern) => matches(path, pattern))) return false;
  return !skip?.some((pattern) => matches(path, pattern));
}

function matches(path: string, pattern: RegExp): boolean {
  // A global or sticky pattern would go on where it last stopped.
  pattern.lastIndex = 0;
  return pattern.test(path);
}

function kindOf(info: Deno.FileInfo): Pick<WalkEntry, "isFile" | "isDirectory" | "isSymlink"> {
  const { isFile, isDirectory, isSymlink } = info;
  return { isFile, isDirectory, isSymlink };
}

function joinShown(directory: string, name: string): string {
  return directory === "." ? name : below(directory, name);
}

function definedOnly<T extends object>(options: T): T {
  return Object.fromEntries(
    Object.entries(options).filter(([, value]) => value !== undefined),
  ) as T;
}
