// Shows: output is read while the command runs, and a command that takes too long is ended.
import { Sandbox } from "@paddock/sandbox";

await using sandbox = await Sandbox.create();

const build = await sandbox.spawn("bash", {
  args: ["-c", "for step in fetch compile link; do echo $step; sleep 0.3; done"],
  stdout: "piped",
});
const started = performance.now();
const decoder = new TextDecoder();
for await (const chunk of build.stdout!) {
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  console.log(`after ${seconds} s: ${decoder.decode(chunk).trim()}`);
}
console.log("build ends with code", (await build.status).code);

// Nobody waits for ever: a deadline ends the process in the sandbox.
const endless = await sandbox.spawn("sleep", { args: ["1000"], signal: AbortSignal.timeout(500) });
const status = await endless.status;
console.log("sleep is ended by", status.signal);
