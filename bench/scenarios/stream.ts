import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import { open, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Sandbox } from "@paddock/sandbox";
import { figure } from "../figure.ts";
import type { Figure } from "../figure.ts";
import type { BenchContext, Scenario } from "../scenario.ts";

const MB = 1_000_000;
const MiB = 1 << 20;
/** Where uploads go that name no other place: on the disk, while `/tmp` is memory. */
const HOME = "/home/sandbox";
const BULK = `${HOME}/bulk`;

/** What the bare server in the guest is told to do, by the first byte a peer sends. */
const Bare = { send: 1, take: 2, takeIntoFile: 3, sendFile: 4 } as const;
type Bare = typeof Bare[keyof typeof Bare];

const PORT = 7007;
const FILE = `${HOME}/bare`;

/** Listens in the guest, and does with bytes what a program without a protocol would do. */
const bareServer = `
  const size = Number(Deno.args[0]);
  const listener = Deno.listen({ hostname: "0.0.0.0", port: ${PORT} });
  console.log("listening");
  const buffer = new Uint8Array(256 * 1024);
  async function send(peer, bytes) {
    for (let at = 0; at < bytes.length;) at += await peer.write(bytes.subarray(at));
  }
  async function sendAll(peer, read) {
    for (let n; (n = await read(buffer)) !== null;) await send(peer, buffer.subarray(0, n));
  }
  async function takeAll(peer, took) {
    for (let got = 0, n; got < size && (n = await peer.read(buffer)) !== null; got += n) {
      took(buffer.subarray(0, n));
    }
    await peer.write(new Uint8Array(1));
  }
  const work = {
    async ${Bare.send}(peer) {
      for (let left = size; left > 0; left -= buffer.length) {
        await send(peer, buffer.subarray(0, Math.min(left, buffer.length)));
      }
    },
    ${Bare.take}: (peer) => takeAll(peer, () => {}),
    async ${Bare.takeIntoFile}(peer) {
      const options = { write: true, create: true, truncate: true };
      using file = Deno.openSync("${FILE}", options);
      await takeAll(peer, (bytes) => {
        for (let at = 0; at < bytes.length;) at += file.writeSync(bytes.subarray(at));
      });
    },
    async ${Bare.sendFile}(peer) {
      using file = Deno.openSync("${FILE}");
      await sendAll(peer, (into) => file.readSync(into));
    },
  };
  for await (const peer of listener) {
    const first = new Uint8Array(1);
    await peer.read(first);
    await work[first[0]](peer).catch(console.error);
    peer.close();
  }
`;

/** Bulk bytes each way with our client, against a bare TCP socket between host and guest. */
const stream: Scenario = async (context) => {
  const size = (context.quick ? 50 : 500) * MB;
  await using sandbox = await Sandbox.create({
    endpoint: context.api,
    token: context.token,
    memory: "3GiB",
  });
  const address = (await sandbox.sh`hostname -I`.text()).trim().split(" ")[0];
  await sandbox.fs.writeTextFile("/tmp/bare.ts", bareServer);
  const bare = await sandbox.spawn("deno", {
    args: ["run", "-A", "/tmp/bare.ts", String(size)],
    stdout: "piped",
    stderr: "null",
  });
  const lines = bare.stdout!.getReader();
  await lines.read();
  lines.releaseLock();

  await using proxy = await bareProxy(address);
  const local = join(tmpdir(), `paddock-bench-${crypto.randomUUID()}`);
  try {
    await fillFile(local, size);
    const direct = { host: address, port: PORT };
    const path = { host: "127.0.0.1", port: proxy.port };
    const uploadOurs = () => seconds(() => sandbox.fs.upload(local, BULK));
    // One after the other, round after round: the machine's noise hits them all.
    const took = await rounds(context, {
      floorOut: () => bareReceive(direct, Bare.send, size),
      floorIn: () => bareSend(direct, Bare.take, size),
      stdout: () => stdoutSeconds(sandbox, size),
      upload: uploadOurs,
      pathUpload: () => bareSend(path, Bare.takeIntoFile, size),
      download: async () => {
        await rm(local, { force: true });
        return await seconds(() => sandbox.fs.download(BULK, local));
      },
      pathDownload: () => bareReceive(path, Bare.sendFile, size),
    });
    await bare.kill("SIGKILL");
    const uploaded = await sandbox.fs.stat(BULK);
    if (uploaded.size !== size) throw new Error(`uploaded ${uploaded.size} of ${size} bytes`);
    if ((await stat(local)).size !== size) throw new Error("the download is not whole");
    const rate = (secondsTaken: number) => size / MB / secondsTaken;
    const target = { on: "ratio", at: "least", than: 0.5 } as const;
    const against = (metric: string, ours: number, floor: number, goal?: typeof target) =>
      figure({ scenario: "stream", metric, unit: "MB/s" }, {
        value: rate(ours),
        floor: rate(floor),
        ...(goal ? { target: goal } : {}),
      });
    return [
      against("stdout", took.stdout, took.floorOut, target),
      against("upload", took.upload, took.floorIn, target),
      against("download", took.download, took.floorOut, target),
      // The floor above keeps the bytes nowhere and passes no third process; these do as we do.
      against("upload_same_path", took.upload, took.pathUpload),
      against("download_same_path", took.download, took.pathDownload),
      ...await growth(sandbox, context, uploadOurs, size),
    ];
  } finally {
    await rm(local, { force: true });
  }
};
export default stream;

/** Resident memory of daemon and agent while 1 GB passes each way; the highest sample against the first. */
async function growth(
  sandbox: Sandbox,
  context: BenchContext,
  upload: () => Promise<unknown>,
  uploadBytes: number,
): Promise<Figure[]> {
  const half = (context.quick ? 100 : 1000) * MB;
  const daemon = () =>
    residentBytes(`/proc/${context.daemonPid}/status`, (p) => readFile(p, "utf8"));
  const agentPid = (await sandbox.sh`pgrep -of ${"^/usr/bin/deno .*agent\\.js"}`.text()).trim();
  const agent = () => residentBytes(`/proc/${agentPid}/status`, (p) => sandbox.fs.readTextFile(p));
  const before = { daemon: await daemon(), agent: await agent() };
  const peak = { ...before };
  const sampling = setInterval(async () => {
    peak.daemon = Math.max(peak.daemon, await daemon().catch(() => 0));
    peak.agent = Math.max(peak.agent, await agent().catch(() => 0));
  }, 250);
  try {
    await stdoutSeconds(sandbox, half);
    for (let sent = 0; sent < half; sent += uploadBytes) await upload();
  } finally {
    clearInterval(sampling);
  }
  const most = { on: "value", at: "most", than: 64 } as const;
  return (["daemon", "agent"] as const).map((who) =>
    figure({ scenario: "stream", metric: `${who}_growth`, unit: "MiB" }, {
      value: (peak[who] - before[who]) / MiB,
      target: most,
    })
  );
}

async function residentBytes(path: string, read: (path: string) => Promise<string>) {
  const match = /VmRSS:\s+(\d+) kB/.exec(await read(path));
  if (!match) throw new Error(`no VmRSS in ${path}`);
  return Number(match[1]) * 1024;
}

async function stdoutSeconds(sandbox: Sandbox, size: number): Promise<number> {
  return await seconds(async () => {
    // Large writes: `head` writes 8 KiB at a time, which in a guest is what would be measured.
    const child = await sandbox.spawn("dd", {
      args: ["if=/dev/zero", "bs=1M", `count=${size}`, "iflag=count_bytes"],
      stdout: "piped",
      stderr: "null",
    });
    let got = 0;
    for await (const chunk of child.stdout!) got += chunk.length;
    if (got !== size) throw new Error(`read ${got} of ${size} bytes`);
  });
}

interface Address {
  host: string;
  port: number;
}

async function bareReceive(address: Address, work: Bare, size: number): Promise<number> {
  return await seconds(() =>
    new Promise<void>((resolve, reject) => {
      let got = 0;
      const socket = connect(address, () => socket.write(new Uint8Array([work])));
      socket.on("data", (chunk) => got += chunk.length);
      socket.on("error", reject);
      socket.on("close", () => got === size ? resolve() : reject(new Error(`got ${got}`)));
    })
  );
}

async function bareSend(address: Address, work: Bare, size: number): Promise<number> {
  const chunk = new Uint8Array(256 * 1024);
  return await seconds(() =>
    new Promise<void>((resolve, reject) => {
      const socket = connect(address, async () => {
        socket.write(new Uint8Array([work]));
        for (let left = size; left > 0; left -= chunk.length) {
          if (!socket.write(chunk.subarray(0, Math.min(left, chunk.length)))) {
            await new Promise((r) => socket.once("drain", r));
          }
        }
      });
      socket.once("data", () => {
        socket.destroy();
        resolve();
      });
      socket.on("error", reject);
    })
  );
}

/** A process of its own that copies bytes between a peer and the guest, and does nothing else. */
async function bareProxy(host: string): Promise<{ port: number } & AsyncDisposable> {
  const program = `
    const net = require("node:net");
    const server = net.createServer((peer) => {
      const guest = net.connect({ host: ${JSON.stringify(host)}, port: ${PORT} });
      peer.pipe(guest).pipe(peer);
      peer.on("error", () => guest.destroy());
      guest.on("error", () => peer.destroy());
    });
    server.listen(0, "127.0.0.1", () => console.log(server.address().port));
  `;
  const child = spawn(Deno.execPath(), ["eval", "--ext=cjs", program], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [line] = await once(child.stdout, "data", { signal: AbortSignal.timeout(10_000) });
  return {
    port: Number(line.toString()),
    async [Symbol.asyncDispose]() {
      const exited = once(child, "exit");
      child.kill("SIGKILL");
      await exited;
    },
  };
}

async function fillFile(path: string, size: number): Promise<void> {
  await using file = await open(path, "w");
  const chunk = crypto.getRandomValues(new Uint8Array(65536));
  for (let written = 0; written < size; written += chunk.length) {
    await file.write(chunk.subarray(0, Math.min(chunk.length, size - written)));
  }
}

/** The best time of each. */
async function rounds<Name extends string>(
  context: BenchContext,
  work: Record<Name, () => Promise<number>>,
): Promise<Record<Name, number>> {
  const names = Object.keys(work) as Name[];
  const best = Object.fromEntries(names.map((name) => [name, Infinity])) as Record<Name, number>;
  for (let round = 0; round < (context.quick ? 1 : 5); round++) {
    for (const name of names) best[name] = Math.min(best[name], await work[name]());
  }
  return best;
}

async function seconds(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1000;
}
