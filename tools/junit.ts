import { insideCheckout, type TestResult } from "./run_test_files.ts";

const entities: Record<string, string> = { lt: "<", gt: ">", quot: '"', apos: "'", amp: "&" };

/** The test cases of a report that `deno test --junit-path` wrote; a step is a case "test > step". */
export function readJunit(xml: string): TestResult[] {
  const results: TestResult[] = [];
  for (const match of xml.matchAll(/<testcase\b([^>]*?)(\/>|>([\s\S]*?)<\/testcase>)/g)) {
    const [, attributeText, , body = ""] = match;
    const attributes = readAttributes(attributeText);
    const problem = body.match(/<(failure|error)\b([^>]*?)(?:\/>|>([\s\S]*?)<\/\1>)/);
    results.push({
      file: insideCheckout(attributes.classname ?? ""),
      name: attributes.name ?? "",
      outcome: problem ? "failed" : /<skipped\b/.test(body) ? "skipped" : "passed",
      seconds: Number(attributes.time ?? 0),
      output: problem ? decode(problem[3] ?? readAttributes(problem[2]).message ?? "").trim() : "",
    });
  }
  return results;
}

function readAttributes(text: string): Record<string, string> {
  const pairs = [...text.matchAll(/([\w-]+)="([^"]*)"/g)];
  return Object.fromEntries(pairs.map(([, name, value]) => [name, decode(value)]));
}

function decode(text: string): string {
  return text.replace(/&(?:#x([0-9a-f]+)|#(\d+)|(\w+));/gi, (whole, hex, decimal, name) => {
    if (hex) return String.fromCodePoint(parseInt(hex, 16));
    if (decimal) return String.fromCodePoint(Number(decimal));
    return entities[name] ?? whole;
  });
}
