// Shows: code a language model wrote runs, its error goes back, the next attempt succeeds.
import { Sandbox } from "@paddock/sandbox";

// Stands in for a language model: the second answer knows the error of the first.
const answers = [
  `const words = await readWords("words.txt"); longest(words)`,
  `const words = (await Deno.readTextFile("words.txt")).split(/\\s+/);
   words.reduce((longest, word) => word.length > longest.length ? word : longest)`,
];
function askModel(task: string, error?: Error): string {
  console.log(error ? `model is told: ${error.name}: ${error.message}` : `task: ${task}`);
  return answers.shift()!;
}

await using sandbox = await Sandbox.create();
await sandbox.fs.writeTextFile("words.txt", "paddock corral sandbox enclosure pen");

let lastError: Error | undefined;
for (let attempt = 1; attempt <= 3; attempt++) {
  const code = askModel("find the longest word in words.txt", lastError);
  try {
    console.log(`attempt ${attempt} succeeds:`, await sandbox.eval(code));
    break;
  } catch (error) {
    lastError = error as Error;
    console.log(`attempt ${attempt} fails`);
  }
}
