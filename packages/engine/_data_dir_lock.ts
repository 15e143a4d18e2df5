import { PaddockError } from "@paddock/protocol";

/**
 * Holds the data directory for one engine. The kernel gives the lock back when this process ends,
 * however it ends; the file stays, since removing it would let two processes lock two files.
 */
export async function lockDataDir(dataDir: string): Promise<Disposable> {
  await Deno.mkdir(dataDir, { recursive: true, mode: 0o700 });
  const file = await Deno.open(`${dataDir}/engine.lock`, {
    create: true,
    write: true,
    mode: 0o600,
  });
  if (!await file.tryLock(true)) {
    file.close();
    throw new PaddockError("DATA_DIR_IN_USE", {
      message: `Another Paddock uses the data directory ${dataDir}.`,
      field: "dataDir",
      hint: "Stop it, or give this one a data directory of its own.",
    });
  }
  return { [Symbol.dispose]: () => file.close() };
}
