import { basename } from "node:path";
import process from "node:process";
import type { ExampleResult } from "./run_example.ts";

const colours = { bold: 1, dim: 2, red: 31, green: 32 };
const coloured = process.stdout.isTTY === true && !Deno.env.get("NO_COLOR");

export function paint(text: string, colour: keyof typeof colours): string {
  return coloured ? `\x1b[${colours[colour]}m${text}\x1b[0m` : text;
}

/** The example's number, name, and what its first comment says that it shows. */
export function exampleHead(number: number, of: number, name: string, source: string): string {
  const shows = /^\/\/ Shows: (.*)$/m.exec(source)?.[1] ?? "";
  const title = `[${number}/${of}] ${name.replace(/^\d\d_|\.ts$/g, "").replaceAll("_", " ")}`;
  return `${paint(title, "bold")}: ${shows}\n${paint(`        examples/${name}`, "dim")}`;
}

export function exampleLine(line: string): string {
  return `    | ${line}`.trimEnd();
}

export function exampleEnd(result: ExampleResult): string {
  return `    ${verdict(result)}\n`;
}

export function summary(results: ExampleResult[], expected: number): string {
  const rows = results.map((result) => `  ${basename(result.file).padEnd(24)} ${verdict(result)}`);
  const failed = results.filter((result) => result.code !== 0).length;
  const skipped = expected - results.length;
  const total = results.reduce((sum, result) => sum + result.milliseconds, 0);
  const last = `${results.length - failed} ran, ${failed} failed` +
    (skipped > 0 ? `, ${skipped} not started` : "") + `, ${(total / 1000).toFixed(1)} s in all`;
  return [paint("Summary", "bold"), ...rows, last].join("\n");
}

function verdict({ code, milliseconds }: ExampleResult): string {
  const time = `${Math.round(milliseconds)} ms`;
  return code === 0 ? paint(`ok, ${time}`, "green") : paint(`FAILED (${code}), ${time}`, "red");
}
