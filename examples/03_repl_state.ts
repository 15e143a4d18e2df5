// Shows: a REPL keeps its state from one piece of code to the next.
import { Sandbox } from "@paddock/sandbox";

await using sandbox = await Sandbox.create();
await using repl = await sandbox.deno.repl();

// The pieces as a notebook, or an agent, would send them one after the other.
const cells = [
  `type Entry = { what: string; cents: number }`,
  `const basket: Entry[] = []`,
  `basket.push({ what: "apples", cents: 349 }, { what: "bread", cents: 420 })`,
  `const total = basket.reduce((sum, entry) => sum + entry.cents, 0); total`,
  `basket.map((entry) => entry.what.toUpperCase()).join(" and ")`,
];
for (const cell of cells) {
  const value = await repl.eval(cell);
  console.log(`> ${cell}`);
  if (value !== undefined) console.log(`  ${JSON.stringify(value)}`);
}

// A function's arguments travel as values.
const price = await repl.call(`(cents: number) => (cents / 100).toFixed(2)`, 769);
console.log("together:", price);
