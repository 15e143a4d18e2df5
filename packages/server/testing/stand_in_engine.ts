import { once } from "node:events";
import { createServer as createHttpServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { newSandboxId, PaddockError } from "@paddock/protocol";
import type {
  EndReason,
  Engine,
  ForkRequest,
  NewSandbox,
  RecordStore,
  RunningSandbox,
  SandboxSpec,
  SandboxState,
  VolumeStore,
} from "@paddock/engine";
import { type WebSocket, WebSocketServer } from "ws";
import { StandInCheckpoints } from "./stand_in_checkpoints.ts";
import { StandInVolumes } from "./stand_in_volumes.ts";

/**
 * NOT an engine: a stand-in for tests of the HTTP surface alone. Its "sandboxes" are records and a
 * WebSocket echo on loopback; nothing is isolated and nothing runs. What a sandbox does is tested
 * with the real engine, in the `*_machine_test.ts` files.
 */
export class StandInEngine implements Engine {
  readonly agent: EchoAgent;
  readonly volumes: StandInVolumes;
  readonly checkpoints = new StandInCheckpoints();
  /** What the last sandbox was asked for. */
  lastSpec: SandboxSpec | undefined;
  readonly #records: RecordStore;
  readonly #sandboxes = new Map<string, StandInSandbox>();
  /** A creation waits for this. */
  creation: Promise<void> = Promise.resolve();
  creating = 0;
  /** What is kept of ended sandboxes; a test fills it. */
  readonly endedLogs = new Map<string, string>();
  mostCreating = 0;

  constructor(records: RecordStore, volumes: VolumeStore, agent: EchoAgent) {
    this.#records = records;
    this.volumes = new StandInVolumes(volumes);
    this.agent = agent;
  }

  async fork(id: string, request: ForkRequest, signal: AbortSignal): Promise<RunningSandbox[]> {
    const { spec } = this.get(id)!;
    const { count, newId, stopAt, labels, around = (work) => work() } = request;
    await around(() => this.creation);
    const specs = Array.from({ length: count }, () => (
      { ...spec, id: newId(), parent: id, stopAt, labels }
    ));
    return await Promise.all(specs.map((it) => this.create(it, signal)));
  }

  async create(wanted: NewSandbox, signal: AbortSignal): Promise<RunningSandbox> {
    const spec = { ...wanted, id: wanted.id ?? newSandboxId(wanted.region) };
    this.lastSpec = spec;
    const sandbox = new StandInSandbox(spec, this.agent, (reason) => {
      this.#records.update(spec.id, {
        state: "stopped",
        stoppedAt: Date.now(),
        endReason: reason,
      });
      this.#sandboxes.delete(spec.id);
    });
    this.#records.insert({
      id: spec.id,
      organizationId: spec.organizationId,
      alias: spec.alias ?? null,
      parent: spec.parent ?? null,
      template: spec.template ?? null,
      region: spec.region,
      driver: "gvisor",
      state: "creating",
      labels: spec.labels,
      memoryBytes: spec.memoryBytes,
      createdAt: Date.now(),
      stopAt: spec.stopAt === "session" ? null : spec.stopAt,
      stoppedAt: null,
      endReason: null,
      pauseAfterIdleMs: spec.pauseAfterIdleMs ?? null,
      paused: null,
    });
    this.#sandboxes.set(spec.id, sandbox);
    this.mostCreating = Math.max(this.mostCreating, ++this.creating);
    const aborted = Promise.withResolvers<never>();
    const onAbort = () => aborted.reject(signal.reason);
    signal.addEventListener("abort", onAbort);
    try {
      await Promise.race([this.creation, aborted.promise]);
    } catch (error) {
      await sandbox.kill("create_failed");
      throw error;
    } finally {
      this.creating--;
      signal.removeEventListener("abort", onAbort);
    }
    sandbox.state = "running";
    this.#records.update(spec.id, { state: "running" });
    return sandbox;
  }

  get(id: string): RunningSandbox | undefined {
    return this.#sandboxes.get(id);
  }

  async endedLog(id: string): Promise<string | undefined> {
    return this.endedLogs.get(id);
  }

  async templatesSettled(): Promise<void> {}

  pools() {
    return [];
  }

  list(): RunningSandbox[] {
    return [...this.#sandboxes.values()];
  }

  async close(): Promise<void> {
    for (const sandbox of this.#sandboxes.values()) await sandbox.kill("node_stopped");
  }
}

class StandInSandbox implements RunningSandbox {
  readonly driver = "gvisor";
  readonly origin = "booted";
  readonly capabilities = [];
  readonly createdAt = new Date();
  readonly ended: Promise<EndReason>;
  state: SandboxState = "creating";
  stopAt: number | "session";
  readonly agent;
  #sessions = 0;
  readonly #end: (reason: EndReason) => void;

  takeGreeting(): undefined {}

  constructor(readonly spec: SandboxSpec, agent: EchoAgent, onEnd: (reason: EndReason) => void) {
    this.stopAt = spec.stopAt;
    this.agent = { host: "127.0.0.1", port: agent.port, token: agent.token };
    const { promise, resolve } = Promise.withResolvers<EndReason>();
    this.ended = promise;
    this.#end = (reason) => {
      if (this.state === "stopped") return;
      this.state = "stopped";
      onEnd(reason);
      resolve(reason);
    };
  }

  holdSession() {
    this.#sessions++;
    return {
      release: () => {
        if (--this.#sessions === 0 && this.spec.stopAt === "session") this.#end("session_closed");
      },
    };
  }

  holdVisit() {
    return { release() {} };
  }

  onStandstill(): Disposable {
    return { [Symbol.dispose]() {} };
  }

  get awake(): boolean {
    return this.state === "running";
  }

  async pause(): Promise<void> {
    this.state = "paused";
  }

  async resume(): Promise<void> {
    this.state = "running";
  }

  async extend(stopAt: number): Promise<number> {
    return this.stopAt = stopAt;
  }

  async kill(reason: EndReason = "killed"): Promise<void> {
    this.#end(reason);
  }

  async usage() {
    return { memoryBytes: 0, cpuMicroseconds: 0 };
  }

  async logs(): Promise<string> {
    return "stand-in\n";
  }
}

/** A WebSocket server on loopback that sends back what it gets, as an agent would be reached. */
export class EchoAgent implements AsyncDisposable {
  readonly token = "agent-token";
  readonly upgrades: Record<string, unknown>[] = [];
  /** Called with each connection instead of echoing, when set. */
  onConnection: ((socket: WebSocket) => void) | undefined;
  readonly #http: Server = createHttpServer();
  readonly #sockets: WebSocketServer;

  private constructor() {
    this.#sockets = new WebSocketServer({
      noServer: true,
      perMessageDeflate: false,
      maxPayload: 1 << 28,
      handleProtocols: (offered) => offered.has("paddock.v1") ? "paddock.v1" : false,
    });
    this.#http.on("upgrade", (request, socket, head) => {
      this.upgrades.push({ ...request.headers, url: request.url });
      if (request.headers.authorization !== `Bearer ${this.token}`) {
        socket.end("HTTP/1.1 401 Unauthorized\r\n\r\n");
        return;
      }
      this.#sockets.handleUpgrade(request, socket, head, (webSocket) => {
        webSocket.on("error", () => {});
        if (this.onConnection) return this.onConnection(webSocket);
        webSocket.on("message", (data, binary) => webSocket.send(data, { binary }));
      });
    });
  }

  static async start(): Promise<EchoAgent> {
    const agent = new EchoAgent();
    agent.#http.listen(0, "127.0.0.1");
    await once(agent.#http, "listening");
    return agent;
  }

  get port(): number {
    return (this.#http.address() as AddressInfo).port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#sockets.clients) client.terminate();
    const closed = once(this.#http, "close");
    this.#http.close();
    this.#http.closeAllConnections();
    await closed;
  }
}

export function refuseCreation(code: "CAPACITY_EXHAUSTED" | "DISK_FULL"): Promise<never> {
  const refused = Promise.reject(new PaddockError(code));
  refused.catch(() => {});
  return refused;
}
