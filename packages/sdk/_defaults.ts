/** Waits of this library, in milliseconds. Every one ends in an error that names it. */
export const waits = {
  /** From opening a socket to the server's answer, creation of the sandbox included. */
  createMs: 60_000,
  /** From opening a socket to an existing sandbox to the server's answer. */
  connectMs: 15_000,
  /** A plain request to the server. */
  requestMs: 15_000,
  /** For a volume or a snapshot to be made, which may be a copy of gigabytes. */
  volumeMs: 620_000,
  /** For a checkpoint to be made, and up to a hundred copies to be restored from it. */
  forkMs: 300_000,
  /** For a sandbox to be paused or resumed, a slow machine included. */
  pauseMs: 150_000,
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
  /** The same, of a session with volumes: the server ends it first, so that all is on its disk. */
  volumeCloseMs: 30_000,
  /** For the local daemon to answer a health check. */
  healthMs: 3_000,
  /** For the local daemon to start. */
  daemonStartMs: 120_000,
} as const;

/** Bytes up to which a file's content travels inside its request instead of as a stream. */
export const inlineBytes: number = 32 * 1024;
/** What a stream may bring ahead of its reader here. */
export const readAheadBytes: number = 8 * 1024 * 1024;
/** Bytes of a stream, or of a local file, that are read and sent at once. */
export const localChunkBytes: number = 1024 * 1024;
/** Files that are held in memory whole while they are transferred, so that several can be at once. */
export const smallFileBytes: number = 64 * 1024;
/** Entries of a directory that are opened before their turn in an upload comes. */
export const filesAhead = 16;
/** Small files of a download that are written at the same time. */
export const transfersAtOnce = 16;
