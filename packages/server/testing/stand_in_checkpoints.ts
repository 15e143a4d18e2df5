import type { Checkpoints, StoredCheckpoint } from "@paddock/engine";
import { PaddockError } from "@paddock/protocol";

/** NOT checkpoints: the HTTP surface is tested without; those are tested with the real engine. */
export class StandInCheckpoints implements Checkpoints {
  create(): Promise<StoredCheckpoint> {
    return Promise.reject(new PaddockError("DRIVER_CANNOT"));
  }

  isCurrent(): Promise<boolean> {
    return Promise.resolve(true);
  }

  remove(): Promise<void> {
    return Promise.reject(new PaddockError("CHECKPOINT_NOT_FOUND"));
  }
}
