import { createHmac, timingSafeEqual } from "node:crypto";
import type { Exposure } from "../exposures.ts";

/** The parameter of a link that opens a protected exposure. */
export const LINK_PARAMETER = "paddock_link";

export type SignedFor = "link" | "cookie";

const SIGNED = /^(\d{1,14})\.([A-Za-z0-9_-]{43})$/;

/** The value of `paddock_link`: it opens this exposure, and no other, until `expiresAt`. */
export function signLink(
  exposure: Exposure,
  expiresAt: number,
  key: Uint8Array,
  purpose: SignedFor = "link",
): string {
  const expiry = Math.floor(expiresAt);
  return `${expiry}.${signature(exposure, expiry, key, purpose).toString("base64url")}`;
}

/** When the link ends, in epoch milliseconds; undefined when it is stale, altered or for another. */
export function verifyLink(
  exposure: Exposure,
  value: string,
  key: Uint8Array,
  now: number,
  purpose: SignedFor = "link",
): number | undefined {
  const [, digits, given] = SIGNED.exec(value) ?? [];
  if (digits === undefined) return undefined;
  const expiry = Number(digits);
  const expected = signature(exposure, expiry, key, purpose);
  const matches = timingSafeEqual(Buffer.from(given, "base64url"), expected);
  return matches && String(expiry) === digits && now < expiry ? expiry : undefined;
}

/** Over all that makes the exposure this one: a name that is given again later is another. */
function signature(exposure: Exposure, expiry: number, key: Uint8Array, purpose: SignedFor) {
  const { name, sandboxId, createdAt, accessHash } = exposure;
  return createHmac("sha256", key)
    .update(JSON.stringify(["paddock", purpose, name, sandboxId, createdAt, accessHash, expiry]))
    .digest();
}
