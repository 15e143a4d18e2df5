import process from "node:process";

const codes = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, cyan: 36 };

/** Colour only where a person looks: a terminal, without NO_COLOR. */
export function colourOn(stream: { isTTY?: boolean } = process.stdout): boolean {
  return stream.isTTY === true && !process.env.NO_COLOR && process.env.TERM !== "dumb";
}

export function paint(text: string, colour: keyof typeof codes, on = colourOn()): string {
  return on ? `\x1b[${codes[colour]}m${text}\x1b[0m` : text;
}

export function printLine(text = ""): void {
  console.log(text);
}

export function printJson(value: unknown): void {
  console.log(JSON.stringify(value, undefined, process.stdout.isTTY ? 2 : undefined));
}

/** For messages that are not the result: standard error, so that a pipe gets the result alone. */
export function printNote(text: string): void {
  console.error(text);
}
