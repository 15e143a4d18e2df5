// `npm run demo`: starts a server of its own, runs every example as its own process against it,
// prints each result with its time, and stops the server. `npm run demo -- dns cpu` runs those
// examples whose names contain one of the words.
import { basename, join } from "node:path";
import process from "node:process";
import { type DemoServer, startDemoServer } from "./demo/server.ts";
import { type ExampleResult, runExample } from "./demo/run_example.ts";
import { exampleEnd, exampleHead, exampleLine, paint, summary } from "./demo/print.ts";

const folder = import.meta.dirname!;
const words = Deno.args.filter((argument) => !argument.startsWith("-"));

const files = [...Deno.readDirSync(folder)]
  .filter((entry) => entry.isFile && /^\d\d_.*\.ts$/.test(entry.name))
  .map((entry) => join(folder, entry.name))
  .filter((file) => words.length === 0 || words.some((word) => basename(file).includes(word)))
  .sort();
if (files.length === 0) {
  console.error(`No example's name contains ${words.map((word) => `"${word}"`).join(" or ")}.`);
  Deno.exit(2);
}

const interrupted = new AbortController();
const interrupt = () => interrupted.abort(new Error("interrupted"));
process.on("SIGINT", interrupt);
process.on("SIGTERM", interrupt);

console.log(paint("Paddock demo", "bold"));
const programs = files.length === 1 ? "One small program" : `${files.length} small programs, each`;
console.log(`${programs} in sandboxes of its own: no account, no cloud.\n`);

let server: DemoServer | undefined;
let results: ExampleResult[] = [];
let failure: unknown;
try {
  console.log(paint("Starting a server on this machine…", "dim"));
  server = await startDemoServer(interrupted.signal);
  console.log(
    paint(`It serves at ${server.api} after ${Math.round(server.startedInMs)} ms.\n`, "dim"),
  );
  results = await runAll(server);
} catch (error) {
  failure = error;
} finally {
  const leftovers = await server?.stop();
  if (leftovers) failure ??= new Error(leftovers);
}

if (results.length > 0) console.log(summary(results, files.length));
if (failure) console.error(`The demo ended early: ${(failure as Error).message}`);
const passed = results.length === files.length && results.every((result) => result.code === 0);
Deno.exit(passed && !failure ? 0 : interrupted.signal.aborted ? 130 : 1);

async function runAll(server: DemoServer): Promise<ExampleResult[]> {
  const results: ExampleResult[] = [];
  for (const [index, file] of files.entries()) {
    const source = await Deno.readTextFile(file);
    console.log(exampleHead(index + 1, files.length, basename(file), source));
    const result = await runExample(
      file,
      server.env,
      interrupted.signal,
      (line) => console.log(exampleLine(line)),
    );
    if (interrupted.signal.aborted) {
      console.log("    interrupted\n");
      break;
    }
    console.log(exampleEnd(result));
    results.push(result);
  }
  return results;
}
