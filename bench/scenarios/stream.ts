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

/** Listens in the guest; the first byte a peer sends says whether it wants bytes or brings them. */
const bareServer = `
  const size = Number(Deno.args[0]);
  const listener = Deno.listen({ hostname: "0.0.0.0", port: 7007 });
  console.log("listening");
  for await (const peer of listener) {
    (async () => {
      const buffer = new Uint8Array(256 * 1024);
      await peer.read(buffer.subarray(0, 1));
      if (buffer[0] === 1) {
        let left = size;
        while (left > 0) left -= await peer.write(buffer.subarray(0, Math.min(left, buffer.length)));
      } else {
        let got = 0;
        while (got < size) {
          const n = await peer.read(buffer);
          if (n === null) break;
          got += n;
        }
        await peer.write(new Uint8Array(1));
      }
      peer.close();
    })().catch(() => {});
  }
`;

/** Bulk bytes each way with our client, against a bare TCP socket between host and guest. */
const stream: Scenario = async (context) => {
  const size = (context.quick ? 50 : 500) * MB;
  await using sandbox = await Sandbox.create({
    endpoint: context.api,
    token: context.token,
    memory: "1GiB",
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

  const floorOut = best(await repeat(context, () => bareReceive(address, size)));
  const floorIn = best(await repeat(context, () => bareSend(address, size)));
  await bare.kill("SIGKILL");

  const local = join(tmpdir(), `paddock-bench-${crypto.randomUUID()}`);
  try {
    await fillFile(local, size);
    const stdout = best(await repeat(context, () => stdoutSeconds(sandbox, size)));
    const upload = best(
      await repeat(context, () => seconds(() => sandbox.fs.upload(local, "/tmp/bulk"))),
    );
    const uploaded = await sandbox.fs.stat("/tmp/bulk");
    if (uploaded.size !== size) throw new Error(`uploaded ${uploaded.size} of ${size} bytes`);
    const download = best(
      await repeat(context, async () => {
        await rm(local, { force: true });
        return await seconds(() => sandbox.fs.download("/tmp/bulk", local));
      }),
    );
    if ((await stat(local)).size !== size) throw new Error("the download is not whole");
    const rate = (secondsTaken: number) => size / MB / secondsTaken;
    const half = { on: "ratio", at: "least", than: 0.5 } as const;
    return [
      figure({ scenario: "stream", metric: "stdout", unit: "MB/s" }, {
        value: rate(stdout),
        floor: rate(floorOut),
        target: half,
      }),
      figure({ scenario: "stream", metric: "upload", unit: "MB/s" }, {
        value: rate(upload),
        floor: rate(floorIn),
        target: half,
      }),
      figure({ scenario: "stream", metric: "download", unit: "MB/s" }, {
        value: rate(download),
        floor: rate(floorOut),
        target: half,
      }),
      ...await growth(sandbox, context),
    ];
  } finally {
    await rm(local, { force: true });
  }
};
export default stream;

/** Resident memory of daemon and agent while 2 GB pass; the highest sample against the first. */
async function growth(sandbox: Sandbox, context: BenchContext): Promise<Figure[]> {
  const total = (context.quick ? 200 : 2000) * MB;
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
    await stdoutSeconds(sandbox, total);
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

async function bareReceive(host: string, size: number): Promise<number> {
  return await seconds(() =>
    new Promise<void>((resolve, reject) => {
      let got = 0;
      const socket = connect({ host, port: 7007 }, () => socket.write(new Uint8Array([1])));
      socket.on("data", (chunk) => got += chunk.length);
      socket.on("error", reject);
      socket.on("close", () => got === size ? resolve() : reject(new Error(`got ${got}`)));
    })
  );
}

async function bareSend(host: string, size: number): Promise<number> {
  const chunk = new Uint8Array(256 * 1024);
  return await seconds(() =>
    new Promise<void>((resolve, reject) => {
      const socket = connect({ host, port: 7007 }, async () => {
        socket.write(new Uint8Array([2]));
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

async function fillFile(path: string, size: number): Promise<void> {
  await using file = await open(path, "w");
  const chunk = crypto.getRandomValues(new Uint8Array(65536));
  for (let written = 0; written < size; written += chunk.length) {
    await file.write(chunk.subarray(0, Math.min(chunk.length, size - written)));
  }
}

async function repeat<T>(context: BenchContext, work: () => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  for (let i = 0; i < (context.quick ? 1 : 3); i++) results.push(await work());
  return results;
}

const best = (times: number[]) => Math.min(...times);

async function seconds(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1000;
}
