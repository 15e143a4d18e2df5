import type { RateLimits } from "@paddock/driver";
import type { RateLimiter } from "./_api_schemas.ts";

/** A bucket holds what one second brings: bursts are no longer than that. */
const REFILL_MS = 1_000;

/** Firecracker's form of what a sandbox may do to its disk; undefined when there is no limit. */
export function diskLimiter(limits: RateLimits | undefined): RateLimiter | undefined {
  return limiter(limits?.diskBytesPerSecond, limits?.diskOperationsPerSecond);
}

/** The same of its network, in each direction. */
export function networkLimiter(limits: RateLimits | undefined): RateLimiter | undefined {
  return limiter(limits?.networkBytesPerSecond, limits?.networkPacketsPerSecond);
}

function limiter(bytes: number | undefined, operations: number | undefined) {
  if (bytes === undefined && operations === undefined) return undefined;
  return {
    ...(bytes === undefined ? {} : { bandwidth: { size: bytes, refill_time: REFILL_MS } }),
    ...(operations === undefined ? {} : { ops: { size: operations, refill_time: REFILL_MS } }),
  };
}
