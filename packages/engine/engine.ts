import type { Capability, DriverName } from "@paddock/driver";

/**
 * The life of sandboxes on one node.
 *
 *     creating ──▶ running ──▶ stopping ──▶ stopped
 *         └───────────────────────▶┘
 *
 * `stopped` is final. A sandbox leaves `running` when its time is up (`timeout`), its session's
 * connection closes (`session_closed`), someone kills it (`killed`), its machine ends on its own
 * (`out_of_memory`, `guest_exited`, `crashed`), or the node stops or restarts (`node_stopped`).
 * The record of a sandbox is written before the engine acts on it.
 */
export interface Engine {
  create(spec: SandboxSpec, signal: AbortSignal): Promise<RunningSandbox>;
  /** Only sandboxes that are creating, running or stopping; ended ones live on as records. */
  get(id: string): RunningSandbox | undefined;
  list(): RunningSandbox[];
  /** Ends every sandbox and leaves nothing behind. */
  close(): Promise<void>;
}

export interface SandboxSpec {
  id: string;
  organizationId: string;
  region: string;
  /** A duration's end in epoch milliseconds, or "session": until the creating connection closes. */
  stopAt: number | "session";
  memoryBytes: number;
  labels: Record<string, string>;
  /** Other name the client gave (client 0.2 sends a UUID), unique within the organisation. */
  alias?: string;
  env?: Record<string, string>;
}

export type SandboxState = "creating" | "running" | "stopping" | "stopped";

export type EndReason =
  | "timeout"
  | "session_closed"
  | "killed"
  | "out_of_memory"
  | "guest_exited"
  | "crashed"
  | "create_failed"
  | "node_stopped";

export interface RunningSandbox {
  readonly spec: SandboxSpec;
  readonly state: SandboxState;
  readonly driver: DriverName;
  readonly capabilities: Capability[];
  readonly createdAt: Date;
  readonly stopAt: number | "session";
  /** Where the agent listens, reachable from this host only, and the bearer token it demands. */
  readonly agent: { host: string; port: number; token: string };
  /** A session sandbox lives while at least one session is held; releasing the last one ends it. */
  holdSession(): { release(): void };
  /** Throws TIMEOUT_TOO_LONG when more than the configured maximum ahead of now. */
  extend(stopAt: number): Promise<number>;
  kill(reason?: EndReason): Promise<void>;
  /** Settles when teardown is complete; never rejects. */
  readonly ended: Promise<EndReason>;
  usage(): Promise<{ memoryBytes: number; cpuMicroseconds: number }>;
  /** The console log of the machine and agent, newest last, bounded. */
  logs(): Promise<string>;
}

/** Written by the engine before it acts; the server implements it on SQLite. */
export interface RecordStore {
  insert(record: SandboxRecord): void;
  update(id: string, patch: Partial<SandboxRecord>): void;
  /** Records whose state is not `stopped`, for recovery at start. */
  unfinished(): SandboxRecord[];
}

export interface SandboxRecord {
  id: string;
  organizationId: string;
  alias: string | null;
  region: string;
  driver: DriverName;
  state: SandboxState;
  labels: Record<string, string>;
  memoryBytes: number;
  createdAt: number;
  /** null: session. */
  stopAt: number | null;
  stoppedAt: number | null;
  endReason: EndReason | null;
}
