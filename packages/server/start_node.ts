import { join } from "node:path";
import type { Driver } from "@paddock/driver";
import { createGvisorDriver } from "@paddock/driver-gvisor";
import { createEngine, type Engine } from "@paddock/engine";
import type { Config } from "./config.ts";
import { createServer } from "./http/create_server.ts";
import { createLog, type Log } from "./log.ts";
import { type ReadyInfo, removeReadyFile, writeReadyFile } from "./ready_file.ts";
import { openStore } from "./store/store.ts";

/** The name of the token in the ready file; each start replaces the one of the start before. */
const SERVE_TOKEN = "serve";

export interface GuestImage {
  digest: string;
  rootfs: string;
  manifest?: { env?: Record<string, string> };
}

export interface StartOptions {
  config: Config;
  /** Builds or finds the guest image; images are not this package's business. */
  image: (
    request: { dataDir: string; trust: Config["imageTrust"]; signal: AbortSignal },
  ) => Promise<GuestImage>;
  /** Gives up starting. To stop a node that runs, close it. */
  signal: AbortSignal;
  log?: Log;
}

export interface PaddockNode extends AsyncDisposable {
  readonly ready: ReadyInfo;
  readonly engine: Engine;
  /** Rejects when the server can serve no longer. */
  readonly failed: Promise<never>;
  /** Ends connections and sandboxes and leaves nothing behind. Idempotent. */
  close(): Promise<void>;
}

/** One node, whole: records, image, driver, engine, server. */
export async function startNode(options: StartOptions): Promise<PaddockNode> {
  const { config, signal } = options;
  const log = options.log ?? createLog({ level: config.logLevel, format: config.logFormat });
  await using stack = new AsyncDisposableStack();
  signal.throwIfAborted();
  const { dataDir, imageTrust: trust } = config;
  const store = stack.use(openStore(dataDir));
  const image = await options.image({ dataDir, trust, signal });
  signal.throwIfAborted();
  const engine = await createEngine({
    dataDir,
    image: { digest: image.digest, rootfs: image.rootfs, env: image.manifest?.env },
    driver: createDriver(config, log),
    records: store.records,
    limits: config.limits,
    network: config.network,
    prewarmSlots: config.prewarmSlots,
    log,
    signal,
  });
  stack.defer(() => engine.close());
  const server = createServer({ config, engine, store, log });
  stack.defer(() => server.close());
  const { host, port } = await server.listen(config.listen);
  signal.throwIfAborted();

  await store.organizations.ensure(config.organization);
  const { token } = await store.tokens.replace(config.organization, SERVE_TOKEN);
  const ready: ReadyInfo = {
    api: `http://${urlHost(host)}:${port}`,
    token,
    baseDomain: config.baseDomain,
    ingress: null,
    ca: null,
    pid: Deno.pid,
  };
  if (config.readyFile !== undefined) {
    const path = config.readyFile;
    writeReadyFile(path, ready);
    stack.defer(() => removeReadyFile(path, ready));
  }
  log.info("serving", { api: ready.api, dataDir, image: image.digest });
  const running = stack.move();
  const close = () => running.disposeAsync();
  return { ready, engine, failed: server.failed, close, [Symbol.asyncDispose]: close };
}

function createDriver(config: Config, log: Log): Driver {
  // `auto` and `gvisor` are one while there is one driver.
  return createGvisorDriver({ stateDir: join(config.dataDir, "runsc"), log });
}

/** Listening on every address is not an address that a client can use. */
function urlHost(host: string): string {
  if (host === "0.0.0.0" || host === "::") return "127.0.0.1";
  return host.includes(":") ? `[${host}]` : host;
}
