// Makes requests in the sandbox that it is given; prints what came of them as JSON.
import process from "node:process";
import { readFile } from "node:fs/promises";
import { Sandbox } from "@paddock/sandbox";

const MiB = 1024 * 1024;
const sandbox = await Sandbox.connect(process.argv[2]);
const code = await readFile(new URL("guest/fetch_server.ts", import.meta.url), "utf8");
const runtime = await sandbox.deno.run({ code, stdout: "piped", stderr: "inherit" });
const seen = { ready: await runtime.httpReady };
const lines = runtime.stdout.pipeThrough(new TextDecoderStream()).getReader();
const port = Number((await lines.read()).value);

const ways = {
  network: { base: `http://127.0.0.1:${port}`, fetch: (...args) => sandbox.fetch(...args) },
  process: { base: "https://shop.example:8443", fetch: (...args) => runtime.fetch(...args) },
};
const failure = async (work) => {
  try {
    await work();
    return "none";
  } catch (error) {
    return {
      name: error.name,
      message: error.message,
      cause: String(error.cause?.message ?? error.cause ?? ""),
    };
  }
};
const agentMemory = async () =>
  Number(
    await sandbox.sh("grep -m1 VmRSS /proc/$(pgrep -f '[a]gent.js' | tail -1)/status | tr -dc 0-9")
      .text(),
  ) / 1024;

function random(size, piece = 64 * 1024) {
  let left = size;
  let pulled = 0;
  const stream = new ReadableStream({
    pull(controller) {
      const chunk = new Uint8Array(Math.min(left, piece));
      left -= chunk.length;
      pulled += chunk.length;
      if (chunk.length > 0) controller.enqueue(chunk);
      if (left === 0) controller.close();
    },
  }, { highWaterMark: 0 });
  return { stream, pulled: () => pulled };
}

async function count(response) {
  let bytes = 0;
  for await (const chunk of response.body) bytes += chunk.length;
  return bytes;
}

for (const [name, { base, fetch }] of Object.entries(ways)) {
  const way = seen[name] = {};
  const echo = async (init, path = "/echo") => await (await fetch(base + path, init)).json();
  way.methods = [];
  for (const method of ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]) {
    way.methods.push((await echo({ method })).method);
  }
  way.get = await echo({ headers: [["x-a", "1"], ["x-a", "2"]] });
  way.bodies = [];
  const form = new URLSearchParams({ a: "1 2" });
  for (
    const body of [
      "grüße",
      new TextEncoder().encode("bytes"),
      new Blob(["blob"]),
      form,
      new Blob(["s"]).stream(),
    ]
  ) {
    const { body: text, type } = await echo({ method: "POST", body });
    way.bodies.push([text, type]);
  }
  const head = await fetch(`${base}/head`, { method: "HEAD" });
  way.head = [head.status, head.headers.get("x-it"), await head.text()];
  way.statuses = [];
  for (const status of [204, 304, 404, 418, 500]) {
    const response = await fetch(`${base}/status?code=${status}`);
    way.statuses.push([response.status, response.statusText, await response.text()]);
  }
  const cookies = await fetch(`${base}/cookies`);
  way.cookies = [cookies.headers.getSetCookie(), cookies.headers.get("x-two")];
  const packed = await fetch(`${base}/gzip`);
  way.gzip = [
    (await packed.text()).length,
    packed.headers.get("content-encoding"),
    packed.headers.get("content-length"),
  ];

  way.redirects = {
    followed: (await echo({ method: "GET" }, "/redirect")).method,
    seeOther: await echo({ method: "POST", body: "x" }, "/redirect?code=303"),
    found: await echo({ method: "POST", body: "x" }, "/redirect?code=302"),
    kept: await echo({ method: "POST", body: "grüße" }, "/redirect?code=307"),
    tooLong: await failure(() =>
      fetch(`${base}/redirect?code=308&to=/count&drain`, {
        method: "POST",
        body: random(3 * MiB).stream,
      })
    ),
    manual: await fetch(`${base}/redirect`, { redirect: "manual" }).then((response) => {
      response.body?.cancel();
      return [response.status, response.headers.get("location")];
    }),
    error: await failure(() => fetch(`${base}/redirect`, { redirect: "error" })),
    loop: await failure(() => fetch(`${base}/loop`)),
  };

  const before = await agentMemory();
  let peak = before;
  let sampling = true;
  const sampler = (async () => {
    while (sampling) {
      peak = Math.max(peak, await agentMemory());
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  })();
  way.download = await count(await fetch(`${base}/bytes?size=${200 * MiB}`));
  const upload = random(200 * MiB);
  way.upload = await (await fetch(`${base}/count`, { method: "POST", body: upload.stream })).json();
  sampling = false;
  await sampler;
  way.agentGrowth = peak - before;

  const aborts = async () => await (await fetch(`${base}/aborts`)).json();
  const abortsBefore = await aborts();
  // Whoever does not read is waited for: neither side's program nor the agent holds what is not read.
  const unwanted = random(200 * MiB);
  const giveUp = new AbortController();
  const held = failure(() =>
    fetch(`${base}/never`, { method: "POST", body: unwanted.stream, signal: giveUp.signal })
  );
  const waiting = await fetch(`${base}/bytes?size=${200 * MiB}`);
  await new Promise((resolve) => setTimeout(resolve, 1000));
  way.pulledMiB = unwanted.pulled() / MiB;
  way.growthUnread = await agentMemory() - before;
  giveUp.abort();
  way.gaveUp = (await held).name;
  await waiting.body.cancel();

  way.abortedBefore = await failure(() => fetch(`${base}/echo`, { signal: AbortSignal.abort() }));
  way.abortedWaiting = await failure(() =>
    fetch(`${base}/never`, { signal: AbortSignal.timeout(200) })
  );
  const controller = new AbortController();
  const drip = await fetch(`${base}/drip`, { signal: controller.signal });
  const drops = drip.body.getReader();
  await drops.read();
  controller.abort();
  way.abortedReading = await failure(async () => {
    while (!(await drops.read()).done);
  });
  const unread = await fetch(`${base}/drip`);
  await unread.body.cancel();
  for (let i = 0; i < 100 && await aborts() < abortsBefore + 3; i++) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  way.serverSawAborts = await aborts() - abortsBefore;
  way.broken = await failure(async () => await (await fetch(`${base}/broken`)).text());
}

seen.host = (await (await runtime.fetch("https://shop.example:8443/echo")).json()).host;
seen.failures = {
  refused: await failure(() => sandbox.fetch("http://127.0.0.1:65001/")),
  unknownHost: await failure(() => sandbox.fetch("http://nonesuch.invalid/")),
  plainAsTls: await failure(() => sandbox.fetch(`https://127.0.0.1:${port}/`)),
  badUrl: await failure(() => sandbox.fetch("not a url")),
  badScheme: await failure(() => sandbox.fetch("gopher://a/")),
};
await runtime.kill();
await runtime.status;
seen.failures.ended = await failure(() => runtime.fetch("http://x/"));
await sandbox.close();
console.log(JSON.stringify(seen));
