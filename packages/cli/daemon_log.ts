import { copyFileSync, statSync, truncateSync } from "node:fs";

const CHECK_EVERY_MS = 5_000;

/**
 * Keeps the local daemon's log from growing without end: at `maxBytes` it becomes `….1`, in place of
 * an older one, and starts anew. The file is this process's own standard error, opened for appending
 * by whoever started it, so it is emptied rather than moved away. When standard error leads elsewhere,
 * somebody else looks after it.
 */
export function boundDaemonLog(path: string, maxBytes: number): Disposable | undefined {
  if (!isStandardError(path)) return undefined;
  turnOver(path, maxBytes);
  const timer = setInterval(() => turnOver(path, maxBytes), CHECK_EVERY_MS);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

/** What is written between the copy and the emptying is lost: a line or two at the most. */
export function turnOver(path: string, maxBytes: number): void {
  try {
    if (statSync(path).size < maxBytes) return;
    try {
      copyFileSync(path, `${path}.1`);
    } finally {
      // On a full disk the old log is worth less than the room it takes.
      truncateSync(path);
    }
  } catch {
    // There is no better place to say so than this very log.
  }
}

function isStandardError(path: string): boolean {
  try {
    const [log, stderr] = [statSync(path), statSync("/proc/self/fd/2")];
    return log.dev === stderr.dev && log.ino === stderr.ino;
  } catch {
    return false;
  }
}
