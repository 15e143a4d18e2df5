import { type LimitValues, PaddockError } from "@paddock/protocol";

/** Throws why a sandbox that stops then cannot be made to stop at `wanted` (epoch milliseconds). */
export function checkExtension(
  stopAt: number | "session",
  wanted: number,
  { timeoutExtendMaxMs: most }: Pick<LimitValues, "timeoutExtendMaxMs">,
): asserts stopAt is number {
  if (stopAt === "session") {
    throw new PaddockError("INVALID_CONFIG", {
      field: "stop_at_ms",
      message: "This sandbox lives as long as its session: it has no timeout to extend.",
    });
  }
  if (!Number.isFinite(wanted) || wanted > Date.now() + most) {
    throw new PaddockError("TIMEOUT_TOO_LONG", {
      field: "stop_at_ms",
      message: `A timeout can be extended to ${most / 1000} s from now at most ` +
        "(limits.timeoutExtendMaxMs).",
    });
  }
}
