import { PaddockError } from "@paddock/protocol";

/** What whoever asked for a checkpoint of a machine that runs on is told. */
export function checkpointFailed(cause: unknown): PaddockError {
  if (/No space left|os error 28/.test(String(cause))) {
    return new PaddockError("DISK_FULL", { cause });
  }
  const { message } = cause as Error;
  return new PaddockError("CHECKPOINT_FAILED", {
    message: `The checkpoint could not be made; the sandbox runs on. (${message})`,
    cause,
  });
}
