/**
 * The little of POSIX path handling that the agent needs. Node's module would do, but its first use
 * loads all that Deno has of Node, and every sandbox would pay for that with a megabyte.
 */
export function isAbsolute(path: string): boolean {
  return path.startsWith("/");
}

/** The path itself when it is absolute, else below `base`. */
export function below(base: string, path: string): string {
  return isAbsolute(path) ? path : `${base}${base.endsWith("/") ? "" : "/"}${path}`;
}

/** An absolute path without ".", ".." and empty segments. */
export function normalize(path: string): string {
  const kept: string[] = [];
  for (const segment of path.split("/")) {
    if (segment === "..") kept.pop();
    else if (segment !== "" && segment !== ".") kept.push(segment);
  }
  return `/${kept.join("/")}`;
}

/** The directory that holds an absolute path; the root holds itself. */
export function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/")) || "/";
}

export function nameOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}
