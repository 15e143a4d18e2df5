const ALPHABET = "0123456789abcdefghjkmnpqrstuvwxyz";
const RANDOM_LENGTH = 20;

/** Published clients check ids against this very pattern. */
export const SANDBOX_ID_PATTERN = /^sbx_([a-z]{3})_[0-9a-hjkmnp-z]{20}$/;

/** A new id; it cannot be guessed. */
export function newSandboxId(regionCode: string): string {
  if (!/^[a-z]{3}$/.test(regionCode)) {
    throw new TypeError(`a region's code has three letters, not "${regionCode}"`);
  }
  // Bytes at or above the largest multiple of the alphabet's length would favour its beginning.
  const fair = 256 - 256 % ALPHABET.length;
  let random = "";
  while (random.length < RANDOM_LENGTH) {
    for (const byte of crypto.getRandomValues(new Uint8Array(2 * RANDOM_LENGTH))) {
      if (byte < fair && random.length < RANDOM_LENGTH) random += ALPHABET[byte % ALPHABET.length];
    }
  }
  return `sbx_${regionCode}_${random}`;
}

export function isSandboxId(text: unknown): text is string {
  return typeof text === "string" && SANDBOX_ID_PATTERN.test(text);
}

/** The three letters of the region, or undefined for anything that is not a sandbox id. */
export function regionOfSandboxId(id: string): string | undefined {
  return SANDBOX_ID_PATTERN.exec(id)?.[1];
}
