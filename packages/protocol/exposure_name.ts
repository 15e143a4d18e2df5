const ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz";
const RANDOM_LENGTH = 26;
const RANDOM_PATTERN = /^[0-9a-hjkmnp-tv-z]{26}$/;
const CHOSEN_PATTERN = /^[a-z][a-z0-9-]{1,38}[a-z0-9]$/;

/** What a visitor would take for the operator's own page. */
const RESERVED: readonly string[] = [
  "admin",
  "api",
  "console",
  "login",
  "paddock",
  "ssh",
  "www",
];

/** A DNS label of 130 random bits, so that nobody finds a preview URL by guessing. */
export function newExposureName(): string {
  let name = "";
  // 32 letters: every letter takes exactly five bits, none is more likely.
  for (const byte of crypto.getRandomValues(new Uint8Array(RANDOM_LENGTH))) {
    name += ALPHABET[byte & 31];
  }
  return name;
}

/** What is wrong with a name that an owner chose, or undefined. */
export function chosenNameProblem(name: string): string | undefined {
  if (!CHOSEN_PATTERN.test(name)) {
    return "a name is 3 to 40 of a-z, 0-9 and hyphens, begins with a letter and does not end in a hyphen";
  }
  if (name.slice(2, 4) === "--") return "two hyphens at the third place are for encoded names";
  if (RANDOM_PATTERN.test(name)) return "this looks like a name that Paddock draws";
  if (RESERVED.includes(name)) return "this name is the operator's";
  return undefined;
}
