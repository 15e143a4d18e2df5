import type { Libc } from "../identity/libc.ts";

/** A draw of this much makes the generator in this thread take a new seed from the kernel. */
const RESEED_AFTER_BYTES = 64 * 1024;
const DRAWS = 2;
/** Deno 2.9 makes as many UUIDs at once and hands them out one by one. */
const UUIDS_AT_ONCE = 128;

/**
 * The kernel's own generator: two machines from one checkpoint would draw the same bytes. gVisor's
 * asks the host, and refuses the request.
 */
export function reseedKernel(libc: Libc | undefined, entropy: Uint8Array): void {
  libc?.addEntropy(entropy);
}

/**
 * Deno draws `getRandomValues` and `randomUUID` from a generator in this thread, which is part of a
 * checkpoint's memory and takes a new seed only after so many bytes.
 */
export function reseedThread(): void {
  const bytes = new Uint8Array(RESEED_AFTER_BYTES);
  for (let i = 0; i < DRAWS; i++) crypto.getRandomValues(bytes);
  for (let i = 0; i < UUIDS_AT_ONCE; i++) crypto.randomUUID();
}
