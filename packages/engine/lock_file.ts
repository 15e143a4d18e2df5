import { mkdirSync } from "node:fs";
import { dirname } from "node:path";

/**
 * Takes a lock that the kernel gives back when this process ends, however it ends. Answers
 * undefined when another process holds it. The file stays: removing it would let two processes
 * lock two files of the same name.
 */
export async function tryLockFile(path: string): Promise<Disposable | undefined> {
  mkdirSync(dirname(path), { recursive: true });
  const file = await Deno.open(path, { create: true, write: true, mode: 0o600 });
  if (!await file.tryLock(true)) {
    file.close();
    return undefined;
  }
  return { [Symbol.dispose]: () => file.close() };
}
