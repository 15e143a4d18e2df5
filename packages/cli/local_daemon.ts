import { dirname, join } from "node:path";

/** Where this machine's own daemon says how to reach it; the SDK looks at the same place. */
export const localReadyFile = Deno.env.get("PADDOCK_LOCAL_READY_FILE") ||
  "/run/paddock/daemon.json";
/** Held by the daemon for as long as it lives. */
export const localLockFile = join(dirname(localReadyFile), "daemon.lock");

export interface LocalReady {
  api: string;
  token: string;
  ca?: string | null;
  pid: number;
}

export async function readLocalReady(): Promise<LocalReady | undefined> {
  try {
    return JSON.parse(await Deno.readTextFile(localReadyFile));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof SyntaxError) return undefined;
    throw error;
  }
}
