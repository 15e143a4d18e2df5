// Sends 100 MB into the sandbox and takes 100 MB out of it. Prints hashes and memory as JSON.
import { createHash } from "node:crypto";
import process from "node:process";
import { Sandbox } from "@paddock/sandbox";

const total = 100 * 1024 * 1024;
const chunk = new Uint8Array(256 * 1024);
for (let i = 0; i < chunk.length; i++) chunk[i] = (i * 31 + (i >> 8)) & 255;

function source() {
  let sent = 0;
  const hash = createHash("sha256");
  const stream = new ReadableStream({
    pull(controller) {
      if (sent >= total) return controller.close();
      const part = chunk.slice(0, Math.min(chunk.length, total - sent));
      part[0] = (sent >> 18) & 255;
      hash.update(part);
      sent += part.length;
      controller.enqueue(part);
    },
  }, { highWaterMark: 1 });
  return { stream, digest: () => hash.digest("hex") };
}

async function digestOf(stream) {
  const hash = createHash("sha256");
  let bytes = 0;
  for await (const part of stream) {
    hash.update(part);
    bytes += part.length;
  }
  return { bytes, digest: hash.digest("hex") };
}

const sandbox = await Sandbox.create();
try {
  const agentPid = (await sandbox.sh`pgrep -of ${"^/usr/bin/deno .*agent.js"}`.text()).trim();
  const agentBytes = async () => {
    const status = await sandbox.sh`cat /proc/${agentPid}/status`.text();
    return Number(/VmRSS:\s+(\d+)/.exec(status)[1]) * 1024;
  };
  const results = { agentBefore: await agentBytes(), clientBefore: process.memoryUsage().rss };
  let clientPeak = 0;
  let agentPeak = 0;
  const sampler = setInterval(async () => {
    clientPeak = Math.max(clientPeak, process.memoryUsage().rss);
    agentPeak = Math.max(agentPeak, await agentBytes().catch(() => 0));
  }, 500);

  const upload = source();
  const started = Date.now();
  await sandbox.fs.writeFile("up.bin", upload.stream);
  results.uploadMs = Date.now() - started;
  results.uploaded = upload.digest();
  results.seenInside = (await sandbox.sh`sha256sum up.bin`.text()).slice(0, 64);

  const cat = await sandbox.spawn("cat", { args: ["up.bin"], stdout: "piped" });
  results.downloaded = await digestOf(cat.stdout);

  const through = await sandbox.spawn("sha256sum", { stdin: "piped", stdout: "piped" });
  const input = source();
  const [output] = await Promise.all([through.output(), input.stream.pipeTo(through.stdin)]);
  results.stdin = [input.digest(), output.stdoutText.slice(0, 64)];

  // A reader that takes its time: what waits for it must not pile up anywhere.
  const slow = await sandbox.spawn("cat", { args: ["up.bin"], stdout: "piped" });
  const reader = slow.stdout.getReader();
  await reader.read();
  await new Promise((resolve) => setTimeout(resolve, 3000));
  await reader.cancel();
  await slow.status;

  clearInterval(sampler);
  Object.assign(results, { clientPeak, agentPeak, agentAfter: await agentBytes() });
  console.log(JSON.stringify(results));
} finally {
  await sandbox.close();
}
