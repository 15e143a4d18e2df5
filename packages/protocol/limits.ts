import { STREAM_WINDOW_BYTES } from "./frame.ts";

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

  // Volumes and snapshots
  volumeMinBytes: limit("volumeMinBytes", 64 * MiB, "bytes", "least capacity of a volume", {
    min: 16 * MiB,
  }),
  volumeMaxBytes: limit("volumeMaxBytes", 64 * 1024 * MiB, "bytes", "most capacity of a volume", {
    min: 16 * MiB,
    max: 4 * 1024 * 1024 * MiB,
  }),
  bootableVolumeMinBytes: limit(
    "bootableVolumeMinBytes",
    1024 * MiB,
    "bytes",
    "least capacity of a volume made from builtin:debian-13",
    { min: 768 * MiB },
  ),
  volumesPerSandbox: limit("volumesPerSandbox", 8, "count", "volumes mounted in a sandbox"),
  volumesPerOrganization: limit(
    "volumesPerOrganization",
    100,
    "count",
    "volumes and snapshots of an organisation",
    { min: 0 },
  ),
  volumeBytesPerOrganization: limit(
    "volumeBytesPerOrganization",
    512 * 1024 * MiB,
    "bytes",
    "capacities of an organisation's volumes, and what its snapshots hold, together",
    { min: 0 },
  ),
  volumesInFlight: limit(
    "volumesInFlight",
    2,
    "count",
    "volumes and snapshots being made at once",
    {
      min: 1,
    },
  ),
  volumeWorkMs: limit(
    "volumeWorkMs",
    600_000,
    "ms",
    "how long making a volume or a snapshot may take",
    { min: 1_000 },
  ),

  // Checkpoints and forks
  forksAtOnce: limit("forksAtOnce", 100, "count", "forks that one call may ask for", { min: 1 }),
  checkpointsPerOrganization: limit(
    "checkpointsPerOrganization",
    50,
    "count",
    "checkpoints of an organisation",
    { min: 0 },
  ),
  checkpointBytesPerOrganization: limit(
    "checkpointBytesPerOrganization",
    64 * 1024 * MiB,
    "bytes",
    "files of an organisation's checkpoints together",
    { min: 0 },
  ),
  pausedPerOrganization: limit(
    "pausedPerOrganization",
    200,
    "count",
    "paused sandboxes of an organisation; their files count among those of its checkpoints",
    { min: 0 },
  ),
  pausedMaxMs: limit(
    "pausedMaxMs",
    7 * 24 * 60 * MINUTE,
    "ms",
    "how long a sandbox stays paused before it ends",
    { min: 1_000 },
  ),
  pauseIdleMinMs: limit(
    "pauseIdleMinMs",
    1_000,
    "ms",
    "least time without a connection after which a sandbox may be paused by itself",
    { min: 100 },
  ),
  checkpointMs: limit(
    "checkpointMs",
    60_000,
    "ms",
    "how long writing a sandbox's checkpoint may take",
    { min: 1_000 },
  ),

  // A node and its organisations
  sandboxes: limit("sandboxes", 200, "count", "sandboxes on a node"),
  sandboxesPerOrganization: limit(
    "sandboxesPerOrganization",
    100,
    "count",
    "sandboxes of one organisation on a node",
  ),
  hostFreeDiskBytes: limit(
    "hostFreeDiskBytes",
    1024 * MiB,
    "bytes",
    "disk of the host that must be free for another sandbox to be created",
    { min: 0 },
  ),
  hostFreeMemoryMb: limit(
    "hostFreeMemoryMb",
    256,
    "MiB",
    "memory of the host that must be available for another sandbox to be created",
    { min: 0 },
  ),
  hostFreeThreads: limit(
    "hostFreeThreads",
    8_192,
    "count",
    "threads that the host must be able to start (kernel.pid_max) for another sandbox to be created",
    { min: 0 },
  ),
  daemonLogBytes: limit(
    "daemonLogBytes",
    10 * MiB,
    "bytes",
    "daemon.log of the local daemon, before it becomes daemon.log.1",
    { min: 64 * KiB },
  ),
  agentStartMs: limit(
    "agentStartMs",
    30_000,
    "ms",
    "time for a new sandbox's machine to start and its agent to answer",
  ),
  restoreMs: limit(
    "restoreMs",
    15_000,
    "ms",
    "time for a restored machine to answer; one from a template is booted instead after it",
  ),
  restoredCommandMs: limit(
    "restoredCommandMs",
    5_000,
    "ms",
    "time for a template's `restored` command in each sandbox that is made from it",
    { min: 100 },
  ),
  poolMin: limit(
    "poolMin",
    2,
    "count",
    "machines of the default size that wait restored, whatever the demand",
    { min: 0 },
  ),
  poolMax: limit("poolMax", 100, "count", "machines of one size that wait restored, at most", {
    min: 0,
  }),
  poolMaxPerTemplate: limit(
    "poolMaxPerTemplate",
    10,
    "count",
    "machines of one user template and size that wait restored, at most",
    { min: 0 },
  ),
  poolMemoryMb: limit("poolMemoryMb", 4096, "MiB", "memory of all machines that wait restored", {
    min: 0,
  }),
  templates: limit("templates", 8, "count", "templates kept on a node"),
  templateBuildMs: limit("templateBuildMs", 120_000, "ms", "time for making a template"),
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
  connectionsPerOrganization: limit(
    "connectionsPerOrganization",
    1024,
    "count",
    "open connections of one organisation to a server",
  ),
  clientIdleMs: limit(
    "clientIdleMs",
    60_000,
    "ms",
    "how long a connected client may be silent, pings included, before it is taken for dead",
    { min: 5_000 },
  ),
  guestSilenceMs: limit(
    "guestSilenceMs",
    60_000,
    "ms",
    "how long a guest may leave a client without an answer before the server no longer tells it that their connection stands",
    { min: 5_000 },
  ),
  exposuresPerSandbox: limit(
    "exposuresPerSandbox",
    100,
    "count",
    "preview URLs and SSH names of a sandbox",
  ),
  exposuresKept: limit(
    "exposuresKept",
    100_000,
    "count",
    "preview URLs and SSH names of ended sandboxes that are remembered",
  ),
  exposureKeptMs: limit(
    "exposureKeptMs",
    7 * 24 * 60 * MINUTE,
    "ms",
    "how long a visitor of an ended sandbox's preview URL is told that it has ended",
  ),
  recordsKept: limit(
    "recordsKept",
    10_000,
    "count",
    "ended sandboxes of an organisation that are remembered, and as many revoked tokens",
    { min: 0 },
  ),
  recordKeptMs: limit(
    "recordKeptMs",
    30 * 24 * 60 * MINUTE,
    "ms",
    "how long an ended sandbox or a revoked token is remembered",
    { min: 0 },
  ),
  linkMaxMs: limit("linkMaxMs", 30 * 24 * 60 * MINUTE, "ms", "longest life of a signed link"),
  listPage: limit(
    "listPage",
    1000,
    "count",
    "sandboxes, volumes or snapshots in one page of a listing",
  ),

  // SSH
  sshConnections: limit("sshConnections", 256, "count", "open SSH connections of a server"),
  sshConnectionsPerSandbox: limit(
    "sshConnectionsPerSandbox",
    16,
    "count",
    "open SSH connections to a sandbox",
  ),
  sshHandshakes: limit(
    "sshHandshakes",
    128,
    "count",
    "SSH connections that have not given a user name yet; one address may hold a quarter",
    { min: 4 },
  ),
  sshHandshakeMs: limit(
    "sshHandshakeMs",
    20_000,
    "ms",
    "time for an SSH client to exchange keys and give a user name",
    { min: 1_000 },
  ),
  sshAuthAttempts: limit(
    "sshAuthAttempts",
    6,
    "count",
    "keys and passwords an SSH connection with a wrong user name may try before it is closed",
    { min: 1 },
  ),
  sshAuthFailuresPerMinute: limit(
    "sshAuthFailuresPerMinute",
    30,
    "count",
    "SSH connections with a wrong user name from an address before more are turned away",
    { min: 1 },
  ),
  sshSessions: limit(
    "sshSessions",
    10,
    "count",
    "shells and commands of an SSH connection at once",
  ),
  sshForwards: limit(
    "sshForwards",
    64,
    "count",
    "connections to forwarded ports of an SSH connection at once",
  ),
  sshUnreadBytes: limit(
    "sshUnreadBytes",
    64 * MiB,
    "bytes",
    "what a sandbox's SSH clients have sent and its programs have not read",
    { min: 8 * MiB },
  ),
  sshKeepaliveMs: limit(
    "sshKeepaliveMs",
    30_000,
    "ms",
    "how long an SSH client may be silent before it is asked whether it is there; three questions " +
      "without an answer end the connection",
    { min: 1_000 },
  ),

  // Preview URLs
  gatewayConnections: limit(
    "gatewayConnections",
    8192,
    "count",
    "visitors' connections of a node",
    {
      min: 16,
    },
  ),
  gatewayConnectionsPerSandbox: limit(
    "gatewayConnectionsPerSandbox",
    2048,
    "count",
    "connections of visitors' requests to the servers of one sandbox",
    { min: 8 },
  ),
  gatewayStreams: limit(
    "gatewayStreams",
    128,
    "count",
    "requests at once on one HTTP/2 connection of a visitor",
    { min: 1 },
  ),
  gatewayHttp2Mb: limit(
    "gatewayHttp2Mb",
    512,
    "MiB",
    "memory of the process that speaks HTTP/2 with visitors; it is started anew beyond it",
    { min: 128 },
  ),
  gatewayHeadBytes: limit(
    "gatewayHeadBytes",
    64 * KiB,
    "bytes",
    "head of a visitor's request, and of the answer of a sandbox's server",
    { min: 4 * KiB, max: MiB },
  ),
  gatewayHeadTimeoutMs: limit(
    "gatewayHeadTimeoutMs",
    15_000,
    "ms",
    "time for a visitor to open TLS and send the head of a request",
    { min: 100 },
  ),
  gatewayConnectTimeoutMs: limit(
    "gatewayConnectTimeoutMs",
    10_000,
    "ms",
    "time to find and connect to a server in a sandbox",
    { min: 100 },
  ),
  gatewayStartMs: limit(
    "gatewayStartMs",
    5_000,
    "ms",
    "how long after an address was given its visitors wait for a server that does not listen yet",
    { min: 0 },
  ),
  gatewayResponseTimeoutMs: limit(
    "gatewayResponseTimeoutMs",
    120_000,
    "ms",
    "time for a sandbox's server to begin its answer once it has the request",
    { min: 100 },
  ),
  gatewayStallMs: limit(
    "gatewayStallMs",
    120_000,
    "ms",
    "how long a visitor may leave an upload or a download standing still",
    { min: 100 },
  ),
  gatewayIdleMs: limit(
    "gatewayIdleMs",
    75_000,
    "ms",
    "how long a visitor's connection is kept between requests",
    { min: 100 },
  ),

  // A connection to an agent
  messageBytes: limit("messageBytes", 64 * MiB, "bytes", "one WebSocket message"),
  inlineFileBytes: limit(
    "inlineFileBytes",
    32 * MiB,
    "bytes",
    "a file read or written in one message instead of as a stream",
  ),
  requestsInFlight: limit("requestsInFlight", 1024, "count", "unanswered requests of a connection"),
  streamReadAheadBytes: limit(
    "streamReadAheadBytes",
    STREAM_WINDOW_BYTES,
    "bytes",
    "what the agent lets a client's stream bring ahead of its reader (paddock.v1)",
    { min: STREAM_WINDOW_BYTES },
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
  vscodeMemoryMb: limit(
    "vscodeMemoryMb",
    448,
    "MiB",
    "the memory that a sandbox must have for each VS Code in it; below 768 it is a light one",
    { min: 0 },
  ),
  vscodeStartMs: limit(
    "vscodeStartMs",
    60_000,
    "ms",
    "how long VS Code may take to start in a sandbox",
    { min: 1000 },
  ),
  vscodeExtensionsMs: limit(
    "vscodeExtensionsMs",
    120_000,
    "ms",
    "how long VS Code's extensions may take to install, beside its start",
    { min: 1000 },
  ),
  vscodePrepareMs: limit(
    "vscodePrepareMs",
    300_000,
    "ms",
    "how long a call waits while this node installs VS Code",
    { min: 0 },
  ),
  terminals: limit("terminals", 32, "count", "terminals of a sandbox"),
  openFiles: limit("openFiles", 256, "count", "open file handles of a connection"),
  fileReadBytes: limit("fileReadBytes", 4 * MiB, "bytes", "one read from a file handle"),
  logBytes: limit("logBytes", 1 * MiB, "bytes", "kept log of a sandbox"),
  endedLogBytes: limit(
    "endedLogBytes",
    16 * MiB,
    "bytes",
    "kept logs of an organisation's ended sandboxes",
    { min: 0 },
  ),
  endedLogKeptMs: limit(
    "endedLogKeptMs",
    24 * 60 * MINUTE,
    "ms",
    "how long the log of an ended sandbox is kept",
    { min: 0 },
  ),
} as const satisfies Record<string, Limit>;

export type LimitName = keyof typeof limits;
export type LimitValues = Record<LimitName, number>;

export const defaultLimits: LimitValues = Object.freeze(
  Object.fromEntries(Object.entries(limits).map(([name, entry]) => [name, entry.default])),
) as LimitValues;
