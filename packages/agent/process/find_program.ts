import { osError } from "../fs/os_error.ts";

/**
 * Where a command's program is, as a shell finds it. A name with a slash in it is a path from the
 * working directory, which the child itself follows.
 */
export function findProgram(command: string, path: string | undefined, cwd: string): string {
  if (command.includes("/")) return command;
  if (command !== "" && path !== undefined) {
    for (const directory of path.split(":")) {
      const base = directory.startsWith("/") ? directory : `${cwd}/${directory || "."}`;
      const candidate = `${base}/${command}`;
      if (isProgram(candidate)) return candidate;
    }
  }
  throw notFound(command);
}

export function notFound(command: string): Error {
  return osError("ENOENT", `Failed to spawn '${command}': entity not found`);
}

const EXECUTABLE = 0o111;

function isProgram(path: string): boolean {
  try {
    const { isFile, mode } = Deno.statSync(path);
    return isFile && (mode! & EXECUTABLE) !== 0;
  } catch {
    return false;
  }
}
