import type { RestoreSource } from "./restore_source.ts";

/** A machine that was booted once, warmed and checkpointed; sandboxes are restored from it. */
export interface Template extends RestoreSource {
  key: string;
}
