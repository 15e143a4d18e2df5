// Shows: a value computed in a sandbox comes back as a JavaScript value.
import { Sandbox } from "@paddock/sandbox";

await using sandbox = await Sandbox.create();

const fibonacci = await sandbox.eval(`
  const f = [0, 1];
  while (f.length < 10) f.push(f.at(-1)! + f.at(-2)!);
  f
`);
console.log("first ten Fibonacci numbers:", fibonacci);

// Not only JSON travels: dates, big integers, maps and sets arrive as what they are.
const facts = await sandbox.eval(`
  new Map<string, unknown>([["2n ** 64n", 2n ** 64n], ["runtime", "Deno " + Deno.version.deno]])
`);
console.log("as a Map:", facts);
