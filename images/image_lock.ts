import { setTimeout as delay } from "node:timers/promises";
import { ImageBuildError } from "./image_build_error.ts";

export interface ImageLockOptions {
  signal?: AbortSignal;
  timeoutMs: number;
  /** Called once when another process holds the lock. */
  onWait?: () => void;
}

/**
 * Holds the lock of an image folder until disposed. It is a kernel lock (flock) on an open file: a
 * holder that dies in any way has released it, so no lock outlives its owner.
 */
export async function lockImages(
  path: string,
  options: ImageLockOptions,
): Promise<AsyncDisposable> {
  const file = await Deno.open(path, { create: true, write: true, mode: 0o600 });
  try {
    const giveUpAt = performance.now() + options.timeoutMs;
    for (let waited = false; !await file.tryLock(true);) {
      if (performance.now() > giveUpAt) {
        throw new ImageBuildError(
          `another process has held ${path} for ${options.timeoutMs / 1000} s`,
        );
      }
      if (!waited) options.onWait?.();
      waited = true;
      await delay(100, undefined, { signal: options.signal });
    }
  } catch (error) {
    file.close();
    throw error;
  }
  return {
    [Symbol.asyncDispose]: async () => {
      await file.unlock();
      file.close();
    },
  };
}
