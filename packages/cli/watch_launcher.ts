import process from "node:process";

const intervalMs = 500;

/**
 * Calls `gone` when the process that started this one ended without a word (it was killed, so it
 * could forward no signal). Programs that want this name themselves in PADDOCK_LAUNCHER_PID.
 */
export function watchLauncher(gone: () => void): Disposable | undefined {
  const pid = Number(Deno.env.get("PADDOCK_LAUNCHER_PID"));
  // When another process stands between the two, the parent is somebody else from the start.
  if (!Number.isInteger(pid) || pid <= 1 || process.ppid !== pid) return undefined;
  const timer = setInterval(() => {
    if (process.ppid === pid) return;
    clearInterval(timer);
    gone();
  }, intervalMs);
  Deno.unrefTimer(timer);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}
