export interface Limit {
  default: number;
  min?: number;
  max?: number;
  /** Where an operator sets it in the server's configuration. */
  configKey: string;
  unit: "bytes" | "MiB" | "ms" | "count" | "cpus";
  description: string;
}

const KiB = 1024;
const MiB = 1024 * KiB;
const MINUTE = 60_000;

function limit(
  configKey: string,
  value: number,
  unit: Limit["unit"],
  description: string,
  range: { min?: number; max?: number } = {},
): Limit {
  return { default: value, ...range, configKey: `limits.${configKey}`, unit, description };
}

/** Every limit by its name, with the value that holds when nothing is configured. */
export const limits = {
  // A sandbox
  memoryDefaultMb: limit("memoryDefaultMb", 512, "MiB", "memory of a sandbox that asks for none", {
    min: 128,
  }),
  memoryMinMb: limit("memoryMinMb", 128, "MiB", "least memory of a sandbox", { min: 64 }),
  memoryMaxMb: limit("memoryMaxMb", 4096, "MiB", "most memory of a sandbox", { min: 128 }),
  cpus: limit("cpus", 1, "cpus", "processors of a sandbox", { min: 0.1 }),
  diskBytes: limit("diskBytes", 10 * 1024 * MiB, "bytes", "disk of a sandbox", { min: 64 * MiB }),
  pids: limit("pids", 1024, "count", "processes and threads in a sandbox", { min: 64 }),
  guestConnections: limit(
    "guestConnections",
    4096,
    "count",
    "connections a sandbox may have through the host's network at once",
    { min: 16 },
  ),
  timeoutMinMs: limit("timeoutMinMs", 1_000, "ms", "shortest timeout of a sandbox"),
  timeoutMaxMs: limit("timeoutMaxMs", 24 * 60 * MINUTE, "ms", "longest timeout at creation"),
  timeoutExtendMaxMs: limit(
    "timeoutExtendMaxMs",
    30 * MINUTE,
    "ms",
    "how far ahead of now an extension may reach",
  ),
  sessionGraceMs: limit(
    "sessionGraceMs",
    30_000,
    "ms",
    "how long a session sandbox created over HTTP waits for its first connection",
  ),
  labels: limit("labels", 16, "count", "labels on a sandbox"),
  labelKeyBytes: limit("labelKeyBytes", 64, "bytes", "length of a label's key"),
  labelValueBytes: limit("labelValueBytes", 256, "bytes", "length of a label's value"),
  envVars: limit("envVars", 256, "count", "environment variables given at creation"),
  envKeyBytes: limit("envKeyBytes", 256, "bytes", "length of an environment variable's name"),
  envValueBytes: limit("envValueBytes", 32 * KiB, "bytes", "length of a variable's value"),
  envBytes: limit("envBytes", 96 * KiB, "bytes", "all variables given at creation, as JSON", {
    // Linux takes no single variable of 128 KiB, and the agent gets them all in one.
    max: 120 * KiB,
  }),

  // A node and its organisations
  sandboxes: limit("sandboxes", 200, "count", "sandboxes on a node"),
  sandboxesPerOrganization: limit(
    "sandboxesPerOrganization",
    100,
    "count",
    "sandboxes of one organisation on a node",
  ),
  agentStartMs: limit(
    "agentStartMs",
    30_000,
    "ms",
    "time for a new sandbox's machine to start and its agent to answer",
  ),
  machineMemoryMb: limit(
    "machineMemoryMb",
    64,
    "MiB",
    "memory a machine may use on top of what its guest sees",
  ),
  machinePids: limit(
    "machinePids",
    256,
    "count",
    "threads a machine may use on top of its guest's",
  ),
  createsInFlight: limit("createsInFlight", 4, "count", "sandboxes being created at once"),
  connectionsPerSandbox: limit("connectionsPerSandbox", 64, "count", "connections to a sandbox"),
  requestBodyBytes: limit("requestBodyBytes", 1 * MiB, "bytes", "body of an HTTP API request"),
  upgradeTimeoutMs: limit("upgradeTimeoutMs", 10_000, "ms", "time for an agent to accept a client"),
  requestHeadBytes: limit("requestHeadBytes", 64 * KiB, "bytes", "head of an HTTP API request", {
    min: 8 * KiB,
  }),
  requestTimeoutMs: limit(
    "requestTimeoutMs",
    30_000,
    "ms",
    "time for a client to send an HTTP request",
    { min: 1_000 },
  ),
  connections: limit("connections", 4096, "count", "open connections of a server"),
  clientIdleMs: limit(
    "clientIdleMs",
    60_000,
    "ms",
    "how long a connected client may be silent, pings included, before it is taken for dead",
    { min: 5_000 },
  ),
  listPage: limit("listPage", 1000, "count", "sandboxes in one page of a listing"),

  // A connection to an agent
  messageBytes: limit("messageBytes", 64 * MiB, "bytes", "one WebSocket message"),
  inlineFileBytes: limit(
    "inlineFileBytes",
    32 * MiB,
    "bytes",
    "a file read or written in one message instead of as a stream",
  ),
  requestsInFlight: limit("requestsInFlight", 1024, "count", "unanswered requests of a connection"),
  streamWindowBytes: limit(
    "streamWindowBytes",
    1 * MiB,
    "bytes",
    "what a stream's sender may send before its reader took anything (paddock.v1)",
  ),
  clientReadAheadBytes: limit(
    "clientReadAheadBytes",
    8 * MiB,
    "bytes",
    "what the client library lets a stream bring ahead of its reader",
  ),
  streamChunkBytes: limit("streamChunkBytes", 256 * KiB, "bytes", "one chunk of a stream"),
  streamBufferBytes: limit(
    "streamBufferBytes",
    32 * MiB,
    "bytes",
    "unread stream bytes of a connection without windows before its socket is paused",
  ),
  streamStallMs: limit(
    "streamStallMs",
    30_000,
    "ms",
    "how long a stream may go unread while the socket is paused for it",
  ),
  streamsPerConnection: limit("streamsPerConnection", 512, "count", "inbound streams at once"),
  processes: limit("processes", 256, "count", "processes a connection has started and not awaited"),
  repls: limit("repls", 32, "count", "REPLs of a sandbox"),
  openFiles: limit("openFiles", 256, "count", "open file handles of a connection"),
  fileReadBytes: limit("fileReadBytes", 4 * MiB, "bytes", "one read from a file handle"),
  logBytes: limit("logBytes", 1 * MiB, "bytes", "kept log of a sandbox"),
} as const satisfies Record<string, Limit>;

export type LimitName = keyof typeof limits;
export type LimitValues = Record<LimitName, number>;

export const defaultLimits: LimitValues = Object.freeze(
  Object.fromEntries(Object.entries(limits).map(([name, entry]) => [name, entry.default])),
) as LimitValues;
