import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** How many spliced bytes may wait as garbage. */
const RECLAIM_EVERY_BYTES = 16 * 1024 * 1024;

/**
 * Every chunk a socket reads is a buffer of its own outside of V8's heap, dead as soon as it is
 * written on. The heap itself hardly grows from that, so V8 sees no reason to collect, and hundreds
 * of megabytes pile up while a large file passes. Counting the bytes and asking for the young
 * generation's collection (about a millisecond) keeps the process flat.
 */
let uncollected = 0;
let collectYoung: ((options: { type: "minor" }) => void) | undefined;

export function countSplicedBytes(bytes: number): void {
  uncollected += bytes;
  if (uncollected < RECLAIM_EVERY_BYTES) return;
  uncollected = 0;
  collectYoung ??= findCollector();
  collectYoung({ type: "minor" });
}

function findCollector(): (options: { type: "minor" }) => void {
  setFlagsFromString("--expose-gc");
  const collector = runInNewContext("globalThis.gc");
  return typeof collector === "function" ? collector : () => {};
}
