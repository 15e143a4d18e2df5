import { PaddockError } from "@paddock/protocol";
import { tryLockFile } from "./lock_file.ts";

/** Holds the data directory for one engine. */
export async function lockDataDir(dataDir: string): Promise<Disposable> {
  await Deno.mkdir(dataDir, { recursive: true, mode: 0o700 });
  const lock = await tryLockFile(`${dataDir}/engine.lock`);
  if (lock) return lock;
  throw new PaddockError("DATA_DIR_IN_USE", {
    message: `Another Paddock uses the data directory ${dataDir}.`,
    field: "dataDir",
  });
}
