import { sleep } from "@paddock/driver";

/** Rejects when `work` takes longer; the work itself goes on, so it must be safe to repeat. */
export async function withDeadline<T>(
  what: string,
  ms: number,
  work: () => Promise<T>,
): Promise<T> {
  const over = new AbortController();
  try {
    return await Promise.race([
      work(),
      sleep(ms, over.signal).then(() => {
        throw new Error(`${what} took longer than ${ms} ms`);
      }),
    ]);
  } finally {
    over.abort();
  }
}

/** Aborted `ms` after `start` has settled, or from now where there is nothing to wait for. */
export function timeoutAfter(start: Promise<unknown> | undefined, ms: number): AbortSignal {
  if (start === undefined) return AbortSignal.timeout(ms);
  const over = new AbortController();
  const begin = () => {
    const timeout = AbortSignal.timeout(ms);
    timeout.addEventListener("abort", () => over.abort(timeout.reason), { once: true });
  };
  start.then(begin, begin);
  return over.signal;
}
