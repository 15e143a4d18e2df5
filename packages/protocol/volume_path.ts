/** Kernel's and agent's: a volume there, above or below would take them away. */
const KEPT = ["/proc", "/sys", "/dev", "/opt/paddock"];

/** Nothing of the guest runs without what is in these; below them a volume may be. */
const NEEDED = [
  ...["/", "/bin", "/boot", "/etc", "/home", "/lib", "/lib64", "/opt", "/run", "/sbin"],
  ...["/usr", "/usr/bin", "/usr/lib", "/usr/lib64", "/usr/sbin", "/usr/share", "/var"],
];

const MAX_BYTES = 255;

/** What is wrong with a place for a volume in a guest, or undefined. */
export function volumePathProblem(path: string): string | undefined {
  if (!path.startsWith("/")) return "a volume's path is absolute, for example /data";
  if (new TextEncoder().encode(path).length > MAX_BYTES) {
    return `a volume's path has at most ${MAX_BYTES} bytes`;
  }
  // deno-lint-ignore no-control-regex
  if (/[\x00-\x1f\x7f]/.test(path)) return "a volume's path holds no control characters";
  const parts = path.split("/").slice(1);
  if (path !== "/" && parts.some((part) => part === "" || part === "." || part === "..")) {
    return "a volume's path has no empty parts, no . and no .. in it";
  }
  if (NEEDED.includes(path)) return `the guest needs what is in ${path} itself`;
  const kept = KEPT.find((place) => isInside(path, place) || isInside(place, path));
  return kept === undefined ? undefined : `${kept} cannot be covered by a volume`;
}

/** Two of the paths of which one is the other, or inside it; undefined when there are none. */
export function overlappingPaths(paths: readonly string[]): [string, string] | undefined {
  for (const [index, path] of paths.entries()) {
    const other = paths.find((it, at) => at !== index && isInside(it, path));
    if (other !== undefined) return [path, other];
  }
  return undefined;
}

function isInside(path: string, directory: string): boolean {
  return path === directory || path.startsWith(`${directory}/`);
}
