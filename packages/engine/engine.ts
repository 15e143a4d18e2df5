import type { Capability, DriverName } from "@paddock/driver";
import type { Checkpoints } from "./checkpoints/checkpoints.ts";
import type { Volumes } from "./volumes/volumes.ts";

/**
 * The life of sandboxes on one node.
 *
 *                     ┌──────────────────▶┐
 *     creating ──▶ running ⇄ paused ──▶ stopping ──▶ stopped
 *         └────────────────────────────▶┘
 *
 * A paused sandbox is a checkpoint on the disk and no machine: it survives the engine, and its time stands
 * still. It runs again as soon as somebody wants something of it (`resume`).
 *
 * `stopped` is final. A sandbox leaves `running` when its time is up (`timeout`), its session's
 * connection closes (`session_closed`), someone kills it (`killed`), its machine ends on its own
 * (`out_of_memory`, `guest_exited`, `crashed`), or the node stops or restarts (`node_stopped`).
 * The record of a sandbox is written before the engine acts on it.
 */
export interface Engine {
  create(spec: NewSandbox, signal: AbortSignal): Promise<RunningSandbox>;
  /** Only sandboxes that are creating, running or stopping; ended ones live on as records. */
  /**
   * Copies of a running sandbox, its memory, processes and files included, that go on from one moment;
   * the original does as well. All of them, or an error and none.
   */
  fork(id: string, request: ForkRequest, signal: AbortSignal): Promise<RunningSandbox[]>;
  get(id: string): RunningSandbox | undefined;
  list(): RunningSandbox[];
  /** What `logs` of an ended sandbox said last; kept for a while, undefined from then on. */
  endedLog(id: string): Promise<string | undefined>;
  /** Machines that wait for a creation, of each driver that has a pool. */
  pools(): { driver: DriverName; waiting: number }[];
  /** Settles when templates are made and the pool is full, as far as they can be. */
  templatesSettled(): Promise<void>;
  readonly volumes: Volumes;
  readonly checkpoints: Checkpoints;
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
  /** The node's default when left out. */
  driver?: DriverName;
  /** Id of the volume or snapshot that is its root, instead of the image. */
  root?: string;
  /** Paused when nobody was connected for so long. */
  pauseAfterIdleMs?: number;
  /** The sandbox that it is a fork of. */
  parent?: string;
  /**
   * Id of the checkpoint that it goes on from, with the memory and on the driver of that; of a template's,
   * with memory of its own where the driver can do that, and with its `env` beside that of the template.
   */
  checkpoint?: string;
  /** The name of the template that this checkpoint is, for the record. */
  template?: string;
  /** What else it mounts; a snapshot is mounted read-only. */
  volumes?: { volumeId: string; path: string }[];
}

/** What the embedder made of a machine that waits, for whoever it becomes; given up with the machine. */
export type Greeting = Disposable;

/** Without an id of its own it may have that of a machine that waits, which then need not be told who it is. */
export type NewSandbox = Omit<SandboxSpec, "id"> & { id?: string };

export interface ForkRequest {
  count: number;
  stopAt: number | "session";
  labels: Record<string, string>;
  newId(): string;
  /** Told of each copy as it begins to run; the others may take a while. */
  made?(copy: RunningSandbox): void;
  around?: AroundStandstill;
}

/**
 * Does the work in which a machine stands still, and what has to be done before and after it: the
 * connections to the machine may break, and those that are made meanwhile.
 */
export type AroundStandstill = <T>(work: () => Promise<T>) => Promise<T>;

/** How a sandbox came by its machine: it waited in the pool, was restored for it, or booted. */
export type Origin = "pooled" | "restored" | "booted";

export type SandboxState = "creating" | "running" | "paused" | "stopping" | "stopped";

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
  /** Undefined until its machine answers. */
  readonly origin: Origin | undefined;
  readonly capabilities: Capability[];
  readonly createdAt: Date;
  readonly stopAt: number | "session";
  /** Where the agent listens, reachable from this host only, and the bearer token it demands. */
  readonly agent: { host: string; port: number; token: string };
  /** Of a machine that waited, once: whoever created the sandbox uses it or gives it up. */
  takeGreeting(): Greeting | undefined;
  /** A session sandbox lives while at least one session is held; releasing the last one ends it. */
  holdSession(): { release(): void };
  /** Somebody is connected who is no session: until the release it is not idle. */
  holdVisit(): { release(): void };
  /**
   * Writes the machine to the disk and ends it. When that fails, the sandbox runs on. Nothing happens when
   * it is paused already.
   */
  pause(signal: AbortSignal, around?: AroundStandstill): Promise<void>;
  /** Resolves when it runs; it stays paused when that fails. Nothing happens when it runs already. */
  resume(signal: AbortSignal): Promise<void>;
  /**
   * Called each time before its machine stands still for a checkpoint or a pause. Connections to it do not
   * outlive that, and break without a word, so whoever has one gives it up.
   */
  onStandstill(listener: () => void): Disposable;
  /** Whether it runs and is not just being paused: `resume` would do nothing. */
  readonly awake: boolean;
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
  /** As `update`, for what a host that crashes may forget: it need not reach the disk before this returns. */
  note(id: string, patch: Partial<SandboxRecord>): void;
  /** Records whose state is not `stopped`, for recovery at start. */
  unfinished(): SandboxRecord[];
}

export interface SandboxRecord {
  id: string;
  organizationId: string;
  alias: string | null;
  /** The sandbox that it is a fork of. */
  parent: string | null;
  /** The name of the template that it was made from. */
  template: string | null;
  region: string;
  driver: DriverName;
  state: SandboxState;
  labels: Record<string, string>;
  memoryBytes: number;
  createdAt: number;
  /** null: session. Of a paused one it is when that ends unless it is resumed. */
  stopAt: number | null;
  stoppedAt: number | null;
  endReason: EndReason | null;
  pauseAfterIdleMs: number | null;
  /** Of a paused one, null otherwise. */
  paused: PausedState | null;
}

export interface PausedState {
  at: number;
  /** The checkpoint that is its machine. */
  checkpoint: string;
  /** What was left of its time; null: session. */
  leftMs: number | null;
}
