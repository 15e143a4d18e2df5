/** Waits of this library, in milliseconds. Every one ends in an error that names it. */
export const waits = {
  /** From opening a socket to the server's answer, creation of the sandbox included. */
  createMs: 60_000,
  /** From opening a socket to an existing sandbox to the server's answer. */
  connectMs: 15_000,
  /** A plain request to the server. */
  requestMs: 15_000,
  /** Between two pings. */
  pingIntervalMs: 2_000,
  /** Silence, pings unanswered, after which a connection counts as lost. */
  silenceMs: 10_000,
  /** How long a call waits for a connection that is being made again. */
  reconnectWaitMs: 30_000,
  /** First and longest pause between two attempts to reconnect. */
  reconnectFirstMs: 100,
  reconnectMaxMs: 5_000,
  /** How long the other side may take to agree to the end of a connection. */
  closeMs: 500,
  /** For the local daemon to answer a health check. */
  healthMs: 3_000,
  /** For the local daemon to start. */
  daemonStartMs: 120_000,
} as const;

/** Bytes up to which a file's content travels inside its request instead of as a stream. */
export const inlineBytes: number = 32 * 1024;
/** Bytes read from a local file at once. */
export const localChunkBytes: number = 256 * 1024;
/** Files of a directory that are transferred at the same time. */
export const transfersAtOnce = 8;
