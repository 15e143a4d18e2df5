import { type LimitValues, PaddockError } from "@paddock/protocol";

/** What the caller is told about a volume that could not be made. */
export function explainVolumeFailure(
  error: unknown,
  deadline: AbortSignal,
  { volumeWorkMs }: Pick<LimitValues, "volumeWorkMs">,
): PaddockError {
  if (error instanceof PaddockError) return error;
  if (/No space left|os error 28/.test(String(error))) {
    return new PaddockError("DISK_FULL", { cause: error });
  }
  if (deadline.aborted) {
    return new PaddockError("VOLUME_FAILED", {
      message: `It took longer than ${volumeWorkMs} ms (limits.volumeWorkMs), so it was given up.`,
      cause: error,
    });
  }
  if (error instanceof DOMException && error.name === "AbortError") {
    return new PaddockError("ABORTED", { cause: error });
  }
  return new PaddockError("VOLUME_FAILED", { cause: error });
}
