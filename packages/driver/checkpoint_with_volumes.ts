import { PaddockError } from "@paddock/protocol";

/** For `checkpoint` of a machine with volumes: two machines of one checkpoint would write one volume. */
export function checkpointWithVolumes(): PaddockError {
  return new PaddockError("DRIVER_CANNOT", {
    message: "A machine with volumes cannot be checkpointed.",
    hint: "Make a snapshot of the volume when the sandbox has ended.",
  });
}
