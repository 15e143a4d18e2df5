/** Waits, and says whether it was for as long as asked: false when `signal` came first. */
export function sleepUntil(ms: number, signal: AbortSignal): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  if (signal.aborted) return Promise.resolve(false);
  const abort = () => {
    clearTimeout(timer);
    resolve(false);
  };
  const timer = setTimeout(() => {
    signal.removeEventListener("abort", abort);
    resolve(true);
  }, ms);
  signal.addEventListener("abort", abort, { once: true });
  return promise;
}
