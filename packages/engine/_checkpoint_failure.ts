import { type LimitValues, PaddockError } from "@paddock/protocol";

/** What the caller of a checkpoint is told that did not come about. */
export function explainCheckpointFailure(
  error: unknown,
  { ended, signal, deadline, limits }: {
    ended: boolean;
    signal: AbortSignal;
    deadline: AbortSignal;
    limits: Pick<LimitValues, "checkpointMs">;
  },
): PaddockError {
  if (signal.aborted) {
    return signal.reason instanceof PaddockError
      ? signal.reason
      : new PaddockError("ABORTED", { cause: error });
  }
  if (ended) {
    return new PaddockError("SANDBOX_STOPPED", {
      message: "The sandbox has stopped, so that no checkpoint was made of it.",
      cause: error,
    });
  }
  if (deadline.aborted) {
    return new PaddockError("CHECKPOINT_FAILED", {
      message: `The checkpoint took longer than ${limits.checkpointMs} ms (limits.checkpointMs); ` +
        "the sandbox runs on.",
      cause: error,
    });
  }
  if (/no space left|os error 28|ENOSPC/i.test(textOf(error))) {
    return new PaddockError("DISK_FULL", {
      message: "The host's disk became full while the checkpoint was written; the sandbox runs on.",
      cause: error,
    });
  }
  return PaddockError.from(error, "CHECKPOINT_FAILED");
}

function textOf(error: unknown): string {
  return error instanceof Error ? `${error.message} ${textOf(error.cause)}` : String(error ?? "");
}
