import type { MachineExit } from "@paddock/driver";
import { type LimitValues, PaddockError } from "@paddock/protocol";

/** Thrown by waits for a machine that ended meanwhile. */
export class MachineDied extends Error {
  readonly exit: MachineExit;

  constructor(exit: MachineExit) {
    super(`the machine ended (${exit.reason}, code ${exit.code ?? "none"}): ${exit.detail ?? ""}`);
    this.exit = exit;
  }
}

/**
 * gVisor binds a connected UDP socket to the address it had, which a copy does not have, and panics. Of
 * that the machine's log may have no more than that runsc lost it.
 */
const CONNECTED_SOCKET = /FindRoute|no route to host|containerManager\.Restore" failed: EOF/;

/**
 * Whether another checkpoint, a moment later, may well be one that can be restored: a machine that
 * crashes, or answers nothing, by what was under way in it when it stood still.
 */
export function isPassingRestoreFailure(error: unknown): boolean {
  let died = error;
  while (died instanceof PaddockError) died = died.cause;
  return died instanceof MachineDied
    ? died.exit.reason === "crashed"
    : died instanceof DOMException && died.name === "TimeoutError";
}

export function explainRestoreFailure(
  error: unknown,
  limits: Pick<LimitValues, "restoreMs">,
): PaddockError {
  if (error instanceof MachineDied) {
    if (error.exit.reason === "out_of_memory") {
      return new PaddockError("SANDBOX_OUT_OF_MEMORY", { cause: error });
    }
    return new PaddockError("RESTORE_FAILED", {
      message: CONNECTED_SOCKET.test(error.message)
        ? "The machine could not be restored. Most likely a program in it had a connected UDP " +
          "socket, as during a look-up in the DNS, which cannot move to a copy."
        : "The machine ended while it was restored from its checkpoint.",
      cause: error,
    });
  }
  if (error instanceof DOMException && error.name === "TimeoutError") {
    return new PaddockError("RESTORE_FAILED", {
      message: "The machine was restored, but the program inside did not answer within " +
        `${limits.restoreMs} ms (limits.restoreMs).`,
      cause: error,
    });
  }
  return PaddockError.from(error, "RESTORE_FAILED");
}
