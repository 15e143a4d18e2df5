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
