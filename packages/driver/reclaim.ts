/** How many spliced bytes may wait as garbage. */
const RECLAIM_EVERY_BYTES = 16 * 1024 * 1024;
/** As large as the young generation gets: allocating this much makes V8 collect it. */
const YOUNG_BYTES = 16 * 1024 * 1024;
const FILLER_BYTES = 8 * 1024;
const BYTES_PER_ELEMENT = 8;

let uncollected = 0;
/** Kept for all to see, or the compiler would leave the allocation out. */
export let filler: unknown[] = [];

/**
 * Every chunk a socket reads is a buffer of its own outside of V8's heap, dead as soon as it is
 * written on. The heap itself hardly grows from that, so V8 sees no reason to collect, and hundreds
 * of megabytes pile up while a large file passes. Garbage inside the heap gives it one, and costs
 * about a millisecond; a program that was not started with `--expose-gc` can ask for nothing less
 * than collections of everything, twenty times as dear.
 */
export function countSplicedBytes(bytes: number): void {
  uncollected += bytes;
  if (uncollected < RECLAIM_EVERY_BYTES) return;
  uncollected = 0;
  for (let made = 0; made < YOUNG_BYTES; made += FILLER_BYTES) {
    filler = new Array(FILLER_BYTES / BYTES_PER_ELEMENT);
  }
}
