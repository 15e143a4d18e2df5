/** One word for bash that stands for exactly `value`, whatever is in it. */
export function escapeShellArg(value: unknown): string {
  if (value === null || value === undefined) return "''";
  if (typeof value === "object" || typeof value === "function" || typeof value === "symbol") {
    throw new TypeError(`a ${typeof value} cannot be a shell argument; pass a string`);
  }
  const text = String(value);
  if (text.includes("\0")) throw new TypeError("a shell argument cannot contain a NUL character");
  if (/^[A-Za-z0-9_\/.:@+-]+$/.test(text)) return text;
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/** Puts escaped values into a template; arrays become several words. */
export function buildShellCommand(
  strings: readonly string[],
  values: readonly unknown[],
): string {
  let command = strings[0] ?? "";
  values.forEach((value, index) => {
    command += Array.isArray(value)
      ? value.map((item) => escapeShellArg(item)).join(" ")
      : escapeShellArg(value);
    command += strings[index + 1] ?? "";
  });
  return command;
}
