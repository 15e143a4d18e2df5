import { Sandbox } from "@paddock/sandbox";
import { figure, percentile } from "../figure.ts";
import type { DownloadArgument, DownloadResult } from "../load/download.ts";
import type { RequestsArgument, RequestsResult } from "../load/requests.ts";
import type { Target } from "../load/target.ts";
import { runLoad } from "../load_program.ts";
import { exposePaths, type Paths } from "../preview.ts";
import { peakResident, residentBytes } from "../resident.ts";
import type { BenchContext, Scenario } from "../scenario.ts";

const MB = 1_000_000;
const MiB = 1 << 20;
const connections = 100;
/**
 * Latencies are taken at a rate that both paths keep up with, the same for both: at saturation a
 * latency says how many connections wait, not how long an answer takes.
 */
const moderateRate = 1000;

const publicPort = 8000;
const loopbackPort = 8001;
const guestServer = `
  const block = new Uint8Array(256 * 1024);
  const answer = (request) => {
    const { pathname, searchParams } = new URL(request.url);
    if (pathname === "/") return new Response("Hello, World!");
    const length = Number(searchParams.get("bytes"));
    let left = length;
    const body = new ReadableStream({
      pull(controller) {
        if (left === 0) return controller.close();
        const part = block.slice(0, Math.min(left, block.length));
        left -= part.length;
        controller.enqueue(part);
      },
    });
    return new Response(body, { headers: { "content-length": String(length) } });
  };
  Deno.serve({ hostname: "127.0.0.1", port: ${loopbackPort} }, answer);
  Deno.serve({ hostname: "0.0.0.0", port: ${publicPort} }, answer);
`;

/**
 * A preview URL (TLS, HTTP/1.1, kept-alive connections) against the same server in the guest reached
 * without TLS at its own address. A server on 127.0.0.1 in the guest has no such address: it is held
 * against the one that has.
 */
const gateway: Scenario = async (context) => {
  await using sandbox = await Sandbox.create({
    endpoint: context.api,
    token: context.token,
    memory: "1GiB",
  });
  await using server = await sandbox.deno.run({ code: guestServer, stdout: "null" });
  if (!await server.httpReady) throw new Error("the server in the guest did not start");
  const open = await exposePaths(sandbox, publicPort, context);
  const loopback = await exposePaths(sandbox, loopbackPort, context);
  const paths = { direct: open.direct, preview: open.preview, tunnel: loopback.preview };
  return [
    ...await throughput(context, paths),
    ...await latency(context, paths),
    ...await download(context, open),
  ];
};
export default gateway;

type Path = "direct" | "preview" | "tunnel";

async function throughput(context: BenchContext, paths: Record<Path, Target>) {
  const best = { direct: 0, preview: 0, tunnel: 0 };
  for (let round = 0; round < (context.quick ? 1 : 3); round++) {
    for (const path of ["direct", "preview", "tunnel"] as const) {
      const seen = await requests(context, paths[path]);
      best[path] = Math.max(best[path], seen.requestsPerSecond);
      context.say(
        `${path}: ${seen.requestsPerSecond.toFixed(0)} requests/s, p99 ${
          seen.p99.toFixed(1)
        } ms, ` +
          `the generator took ${(seen.generatorCpu * 100).toFixed(0)} % of a processor`,
      );
    }
  }
  return [
    figure({ scenario: "gateway", metric: "requests", unit: "/s" }, {
      value: best.preview,
      floor: best.direct,
      target: { on: "ratio", at: "least", than: 0.4 },
    }),
    figure({ scenario: "gateway", metric: "requests_to_127.0.0.1", unit: "/s" }, {
      value: best.tunnel,
      floor: best.direct,
    }),
  ];
}

async function latency(context: BenchContext, paths: Record<Path, Target>) {
  const p99 = { direct: [] as number[], preview: [] as number[], tunnel: [] as number[] };
  for (let round = 0; round < (context.quick ? 1 : 5); round++) {
    for (const path of ["direct", "preview", "tunnel"] as const) {
      const seen = await requests(context, paths[path], moderateRate);
      p99[path].push(seen.p99);
      context.say(
        `${path} at ${moderateRate}/s: p50 ${seen.p50.toFixed(2)} ms, p99 ${
          seen.p99.toFixed(2)
        } ms`,
      );
    }
  }
  const median = (path: Path) => percentile(p99[path], 50);
  return [
    figure({ scenario: "gateway", metric: `p99_at_${moderateRate}_per_s`, unit: "ms" }, {
      value: median("preview"),
      floor: median("direct"),
    }),
    figure({ scenario: "gateway", metric: "added_p99", unit: "ms" }, {
      value: median("preview") - median("direct"),
      target: { on: "value", at: "most", than: 5 },
    }),
    figure({ scenario: "gateway", metric: "added_p99_to_127.0.0.1", unit: "ms" }, {
      value: median("tunnel") - median("direct"),
    }),
  ];
}

async function requests(
  { quick }: BenchContext,
  target: Target,
  rate?: number,
): Promise<RequestsResult> {
  const argument: RequestsArgument = {
    ...{ target, connections, rate },
    warmUpSeconds: quick ? 1 : 2,
    seconds: quick ? 2 : 8,
  };
  return await runLoad("requests", argument);
}

async function download(context: BenchContext, { direct, preview }: Paths) {
  const bytes = (context.quick ? 100 : 1000) * MB;
  const path = `/bytes?bytes=${bytes}`;
  const rate = async (target: Target) => {
    const seen = await runLoad<DownloadResult>("download", { target, path } as DownloadArgument);
    if (seen.bytes !== bytes) throw new Error(`downloaded ${seen.bytes} of ${bytes} bytes`);
    return bytes / MB / seen.seconds;
  };
  // The first one grows what the daemon then keeps.
  await rate(preview);
  const before = await residentBytes(context.daemonPid);
  const best = { direct: 0, preview: 0 };
  const peak = await peakResident(context.daemonPid, async () => {
    for (let round = 0; round < (context.quick ? 1 : 3); round++) {
      best.direct = Math.max(best.direct, await rate(direct));
      best.preview = Math.max(best.preview, await rate(preview));
    }
  });
  return [
    figure({ scenario: "gateway", metric: "download", unit: "MB/s" }, {
      value: best.preview,
      floor: best.direct,
      target: { on: "ratio", at: "least", than: 0.5 },
    }),
    figure({ scenario: "gateway", metric: "download_daemon_growth", unit: "MiB" }, {
      value: (peak - before) / MiB,
      target: { on: "value", at: "most", than: 32 },
    }),
  ];
}
