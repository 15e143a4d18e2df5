// Shows: code of a user runs against test cases; one case fails and one throws.
import { Sandbox } from "@paddock/sandbox";

// What a student handed in. Nobody trusts it, so it never runs here.
const submission = `
  export function average(numbers) {
    if (numbers === null) throw new TypeError("numbers must be an array");
    return numbers.reduce((sum, n) => sum + n, 0) / numbers.length;
  }
`;
const cases = [
  { name: "whole numbers", input: [1, 2, 3], expected: 2 },
  { name: "one number", input: [42], expected: 42 },
  { name: "no numbers", input: [], expected: 0 },
  { name: "no array", input: null, expected: 0 },
];

await using sandbox = await Sandbox.create();
await sandbox.fs.writeTextFile("submission.js", submission);

await using repl = await sandbox.deno.repl();
await repl.eval(`const { average } = await import("file:///home/sandbox/submission.js")`);

let passed = 0;
for (const { name, input, expected } of cases) {
  try {
    const actual = await repl.call(`(input) => average(input)`, input);
    if (Object.is(actual, expected)) {
      passed++;
      console.log(`pass    ${name}`);
    } else {
      console.log(`FAIL    ${name}: expected ${expected}, got ${actual}`);
    }
  } catch (error) {
    console.log(`THROWS  ${name}: ${error}`);
  }
}
console.log(`${passed} of ${cases.length} test cases pass`);
if (passed !== 2) throw new Error("the submission should pass exactly two of its test cases");
