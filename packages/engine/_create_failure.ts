import { type LimitValues, PaddockError } from "@paddock/protocol";
import { explainRestoreFailure, MachineDied } from "./machine_died.ts";

/** Why a sandbox could not be created, for the caller. */
export function explainCreateFailure(
  error: unknown,
  { signal, ending, restored, limits }: {
    /** The caller's. */
    signal: AbortSignal;
    /** The sandbox was ended meanwhile. */
    ending: boolean;
    /** It was to go on from a checkpoint. */
    restored: boolean;
    limits: Pick<LimitValues, "restoreMs" | "agentStartMs">;
  },
): PaddockError {
  if (signal.aborted) return new PaddockError("ABORTED", { cause: error });
  if (ending) {
    return new PaddockError("SANDBOX_STOPPED", {
      message: "The sandbox was ended while it was being created.",
    });
  }
  if (restored) return explainRestoreFailure(error, limits);
  if (error instanceof MachineDied) {
    return error.exit.reason === "out_of_memory"
      ? new PaddockError("SANDBOX_OUT_OF_MEMORY", { cause: error })
      : new PaddockError("DRIVER_FAILED", {
        message: "The machine ended before it could be used.",
        cause: error,
      });
  }
  if (error instanceof DOMException && error.name === "TimeoutError") {
    return new PaddockError("AGENT_UNREACHABLE", {
      message: "The program inside the sandbox did not answer within " +
        `${limits.agentStartMs} ms (limits.agentStartMs).`,
      cause: error,
    });
  }
  return PaddockError.from(error, "CREATE_FAILED");
}

/** Whether it is the restore that failed, so that another way to a machine may still work. */
export function isRestoreFailure(error: unknown): boolean {
  return !(error instanceof PaddockError) || error.code === "RESTORE_FAILED" ||
    error.code === "DRIVER_FAILED";
}
