import type { VmBoot } from "@paddock/driver/vm";
import { createEngine, type Engine } from "@paddock/engine";
import { exerciseAgent, type Gateway, rehearseAgent, startGateway } from "@paddock/gateway";
import type { Config } from "./config.ts";
import { createDrivers, VM_DRIVERS } from "./drivers.ts";
import { createServer } from "./http/create_server.ts";
import { createLog, type Log } from "./log.ts";
import { createMetrics } from "./metrics/metrics.ts";
import { listenForMetrics } from "./metrics/metrics_listener.ts";
import { type ReadyInfo, removeReadyFile, writeReadyFile } from "./ready_file.ts";
import { AgentGreeter } from "./session/agent_greeter.ts";
import { startPruning } from "./store/record_pruner.ts";
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
  /** An image of an earlier day, which a checkpoint was made with, if this host still has it. */
  findImage?: (digest: string) => Promise<GuestImage | undefined>;
  /** What virtual machines boot; with `build` it is built where it is missing. */
  vm?: (
    request: { dataDir: string; build: boolean; signal: AbortSignal },
  ) => Promise<VmBoot | undefined>;
  /** VS Code for sandboxes: where its layer is or will be, and what installs it. */
  vscode?: { layers: string; prepare: (signal: AbortSignal) => Promise<void> };
  /** Gives up starting. To stop a node that runs, close it. */
  signal: AbortSignal;
  log?: Log;
}

export interface PaddockNode extends AsyncDisposable {
  readonly ready: ReadyInfo;
  readonly engine: Engine;
  readonly gateway: Gateway;
  /** Rejects when the server can serve no longer. */
  readonly failed: Promise<never>;
  /** Ends connections and sandboxes and leaves nothing behind. Idempotent. */
  close(): Promise<void>;
}

/** One node, whole: records, image, driver, engine, gateway, server. */
export async function startNode(options: StartOptions): Promise<PaddockNode> {
  const { config, signal } = options;
  const log = options.log ?? createLog({ level: config.logLevel, format: config.logFormat });
  await using stack = new AsyncDisposableStack();
  signal.throwIfAborted();
  const { dataDir, imageTrust: trust } = config;
  const store = stack.use(openStore(dataDir));
  const image = await options.image({ dataDir, trust, signal });
  signal.throwIfAborted();
  const build = VM_DRIVERS.some((name) =>
    name === config.driver || config.allowDrivers.includes(name)
  );
  const metrics = createMetrics();
  const greeter = new AgentGreeter();
  const engine = await createEngine({
    meters: metrics.meters,
    dataDir,
    image: { digest: image.digest, rootfs: image.rootfs, env: image.manifest?.env },
    layers: options.vscode?.layers,
    drivers: createDrivers(config, await options.vm?.({ dataDir, build, signal }), log),
    allowDrivers: config.allowDrivers,
    records: store.records,
    volumeStore: store.volumes,
    checkpointStore: store.checkpoints,
    findImage: options.findImage,
    limits: config.limits,
    network: config.network,
    prewarmSlots: config.prewarmSlots,
    templates: config.templates === "on",
    region: config.regions[0].code,
    exercise: (agent, signal) => exerciseAgent(agent, { limits: config.limits, signal }),
    greet: async (agent, signal) => {
      // A guest that cannot do that much may still be what its template was made for.
      await rehearseAgent(agent, { limits: config.limits, signal }).catch((error) =>
        log.debug("a machine that waits could not rehearse", { error: String(error) })
      );
      return await greeter.greet(agent, signal);
    },
    log,
    signal,
  });
  stack.defer(() => engine.close());
  metrics.watch(engine);
  if (config.metricsListen) {
    const { host } = config.metricsListen;
    const { port } = stack.use(await listenForMetrics(metrics, config.metricsListen));
    log.info("serving metrics", { host, port });
  }
  const { exposures } = store;
  const { limits } = config;
  const gateway = await startGateway({ config, engine, exposures, dataDir, limits, log, signal });
  stack.defer(() => gateway.close());
  const server = createServer({
    config,
    engine,
    greeter,
    store,
    log,
    gateway,
    prepareVscode: options.vscode?.prepare,
  });
  stack.defer(() => server.close());
  stack.use(startPruning(store, limits, log));
  const { host, port } = await server.listen(config.listen);
  signal.throwIfAborted();

  await store.organizations.ensure(config.organization);
  const { token } = await store.tokens.replace(config.organization, SERVE_TOKEN);
  const ready: ReadyInfo = {
    api: `http://${urlHost(host)}:${port}`,
    token,
    baseDomain: config.baseDomain,
    ingress: gateway.ingress,
    ca: gateway.ca,
    ssh: gateway.ssh?.hostname ?? null,
    pid: Deno.pid,
  };
  if (config.readyFile !== undefined) {
    const path = config.readyFile;
    writeReadyFile(path, ready);
    stack.defer(() => removeReadyFile(path, ready));
  }
  log.info("serving", { api: ready.api, ingress: ready.ingress, dataDir, image: image.digest });
  if (config.vscodeInstall === "at_start") installVscode(options.vscode, signal, log);
  const running = stack.move();
  const close = () => running.disposeAsync();
  const failed = Promise.race([server.failed, gateway.failed]);
  failed.catch(() => {});
  return { ready, engine, gateway, failed, close, [Symbol.asyncDispose]: close };
}

/** In the background: until then an editor that is asked for waits, or is told to come back. */
function installVscode(vscode: StartOptions["vscode"], signal: AbortSignal, log: Log): void {
  vscode?.prepare(signal).catch((error) => {
    if (!signal.aborted) log.warn("VS Code is not installed yet", { error: String(error) });
  });
}

/** Listening on every address is not an address that a client can use. */
function urlHost(host: string): string {
  if (host === "0.0.0.0" || host === "::") return "127.0.0.1";
  return host.includes(":") ? `[${host}]` : host;
}
