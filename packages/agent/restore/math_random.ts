import { reseedThread } from "./entropy.ts";

const NUMBERS_KEPT = 512;
const SIGNIFICANT_BITS = 53;

/**
 * Makes what is random in this process differ from its siblings'. V8 seeds `Math.random` once, when
 * its isolate is made, and has no way to do it again: another function takes its place.
 */
export function reseedProcess(): void {
  reseedThread();
  const words = new BigUint64Array(NUMBERS_KEPT);
  let next = NUMBERS_KEPT;
  const { random } = {
    random(): number {
      if (next === NUMBERS_KEPT) {
        crypto.getRandomValues(words);
        next = 0;
      }
      return Number(words[next++] >> BigInt(64 - SIGNIFICANT_BITS)) / 2 ** SIGNIFICANT_BITS;
    },
  };
  Object.defineProperty(Math, "random", { value: random, configurable: true, writable: true });
}
