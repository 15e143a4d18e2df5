const classes = {
  EISDIR: Deno.errors.IsADirectory,
  ENOTDIR: Deno.errors.NotADirectory,
  ENOENT: Deno.errors.NotFound,
  ELOOP: Deno.errors.FilesystemLoop,
};

/** An error like those of Deno's own calls, which carry the system's code besides their class. */
export function osError(code: keyof typeof classes, message: string): Error {
  return Object.assign(new classes[code](message), { code });
}
