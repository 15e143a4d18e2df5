import picomatch from "picomatch";
import { below, normalize } from "./paths.ts";
import { walk, type WalkEntry } from "./walk.ts";

export interface ExpandGlobOptions {
  extended?: boolean;
  globstar?: boolean;
  caseInsensitive?: boolean;
  root?: string;
  exclude?: string[];
  includeDirs?: boolean;
  followSymlinks?: boolean;
  canonicalize?: boolean;
}

/** Everything a glob stands for. Paths that are not absolute are below `root`, or else `home`. */
export async function* expandGlob(
  glob: string,
  home: string,
  options: ExpandGlobOptions = {},
): AsyncGenerator<WalkEntry> {
  const {
    extended = true,
    globstar = true,
    caseInsensitive = false,
    includeDirs = true,
    followSymlinks = false,
    canonicalize = true,
    exclude = [],
  } = options;
  const root = escapeGlob(normalize(below(home, options.root ?? ".")));
  const absolute = (pattern: string) => normalize(below(root, pattern));
  const matcher = (pattern: string) =>
    picomatch(pattern, {
      dot: true,
      nocase: caseInsensitive,
      noextglob: !extended,
      noglobstar: !globstar,
      strictSlashes: false,
      nonegate: true,
    });
  const pattern = trimSlash(absolute(glob));
  const isMatch = matcher(pattern);
  const excluded = exclude.map((each) => matcher(trimSlash(absolute(each))));
  const dirsOnly = /[^/]\/+$/.test(glob);
  const { base, depth } = fixedPart(pattern, globstar);
  if (!await exists(base)) return;
  const skipped = (path: string) => excluded.some((test) => test(path));
  for await (
    const entry of walk(base, base, { maxDepth: depth, followSymlinks, canonicalize })
  ) {
    if (!isMatch(entry.path) || skipped(entry.path)) continue;
    if (excludedAbove(entry.path, base, skipped)) continue;
    if (entry.isDirectory ? includeDirs : !dirsOnly) yield entry;
  }
}

/** The longest leading part without wildcards, and how deep the rest can reach below it. */
function fixedPart(pattern: string, globstar: boolean): { base: string; depth: number } {
  const { base, glob } = picomatch.scan(pattern);
  const fixed = base.replace(/\\(.)/g, "$1") || "/";
  if (glob === "") return { base: fixed, depth: 0 };
  // Braces and groups may hold slashes, and "**" any number of them.
  const open = /[{(]/.test(glob) || globstar && glob.includes("**");
  return { base: fixed, depth: open ? Infinity : glob.split("/").length };
}

function escapeGlob(path: string): string {
  return path.replace(/[\\*?[\]{}()!@+|]/g, "\\$&");
}

function excludedAbove(path: string, base: string, skipped: (path: string) => boolean): boolean {
  for (let at = path.lastIndexOf("/"); at > base.length; at = path.lastIndexOf("/", at - 1)) {
    if (skipped(path.slice(0, at))) return true;
  }
  return false;
}

function trimSlash(pattern: string): string {
  return pattern.length > 1 ? pattern.replace(/\/+$/, "") : pattern;
}

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.stat(path);
    return true;
  } catch {
    return false;
  }
}
