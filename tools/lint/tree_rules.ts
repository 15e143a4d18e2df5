import { basename, extname } from "node:path";

export interface TreeFile {
  /** Inside the repository, with forward slashes. */
  path: string;
  /** Undefined for a file that is not text. */
  text?: string;
}

export interface Finding {
  path: string;
  line?: number;
  message: string;
}

export const maxLines = 600;

const sourceExtensions = new Set([".ts", ".tsx", ".mjs", ".js"]);
const vagueNames = new Set(["util", "utils", "common", "helper", "helpers", "misc"]);

// In pieces, so that this file does not hold what it looks for.
const registryHosts = [
  ["npmjs", "org"],
  ["npmjs", "com"],
  ["yarnpkg", "com"],
  ["jsr", "io"],
  ["crates", "io"],
  ["pypi", "org"],
  ["deb.debian", "org"],
  ["security.debian", "org"],
  ["archive.ubuntu", "com"],
  ["ghcr", "io"],
  ["quay", "io"],
  ["docker", "io"],
  ["pkg", "dev"],
].map((parts) => parts.join("."));
const registryPattern = new RegExp(
  `(^|[^\\w-])(${registryHosts.map((host) => host.replaceAll(".", "\\.")).join("|")})([^\\w-]|$)`,
  "i",
);

/** The house rules that concern names and whole files. */
export function checkTree(files: TreeFile[]): Finding[] {
  return files.flatMap((file) => [...checkName(file), ...checkText(file)]);
}

function* checkName({ path }: TreeFile): Generator<Finding> {
  for (const part of path.split("/")) {
    const stem = part.split(".")[0].toLowerCase();
    if (vagueNames.has(stem)) yield { path, message: `"${part}" says nothing: name what is in it` };
  }
  const name = basename(path);
  if (sourceExtensions.has(extname(name)) && !/^_?[a-z0-9]+(_[a-z0-9]+)*(\.d)?\.\w+$/.test(name)) {
    yield { path, message: "source files are named in snake_case" };
  }
}

function* checkText({ path, text }: TreeFile): Generator<Finding> {
  if (text === undefined) return;
  const lines = text.split("\n");
  const count = text.endsWith("\n") ? lines.length - 1 : lines.length;
  if (sourceExtensions.has(extname(path)) && count > maxLines) {
    yield { path, message: `${count} lines: a file has at most ${maxLines}` };
  }
  for (const [index, line] of lines.entries()) {
    const host = line.match(registryPattern)?.[2];
    if (host) yield { path, line: index + 1, message: `names the package registry ${host}` };
  }
}
