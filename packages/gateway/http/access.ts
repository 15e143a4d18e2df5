import { createHash, timingSafeEqual } from "node:crypto";
import { PaddockError } from "@paddock/protocol";
import type { Exposure } from "../exposures.ts";
import { field, type Headers, single } from "./header_fields.ts";
import { LINK_PARAMETER, signLink, verifyLink } from "./signed_link.ts";
import type { VisitRequest } from "./visit.ts";

const HEADER = "x-paddock-access";
const TOKEN_PARAMETER = "paddock_access";
/** A browser takes a cookie of this prefix from this very host alone, and over TLS. */
const COOKIE = "__Host-paddock_access";
/** How long a browser that showed the token is let in; a link's cookie ends with the link. */
const COOKIE_MS = 24 * 60 * 60_000;

export interface Admitted {
  /** The request without what opened the door: the server in the sandbox does not see it. */
  request: VisitRequest;
  /** Where the browser should go on with the cookie, instead of the address that gave it away. */
  redirect?: { location: string; setCookie: string };
}

/** Lets a visitor pass to an exposure, or throws ACCESS_TOKEN_NEEDED or ACCESS_DENIED. */
export function admit(
  request: VisitRequest,
  exposure: Exposure,
  key: Uint8Array,
  now: number,
): Admitted {
  const token = single(request.headers, HEADER);
  const { cookies, headers } = withoutCookies(
    request.headers.filter(({ key }) => key !== HEADER),
  );
  if (exposure.access === "public") return { request: { ...request, headers } };
  const { target, parameters } = withoutParameters(request.target);
  const clean: VisitRequest = { ...request, headers, target };
  if (token !== undefined) {
    if (token === null || !isToken(token, exposure)) throw new PaddockError("ACCESS_DENIED");
    return { request: clean };
  }
  const expiry = parameters.length === 0 ? undefined : expiryOf(parameters, exposure, key, now);
  if (expiry !== undefined) {
    if (request.method !== "GET" && request.method !== "HEAD") return { request: clean };
    const value = signLink(exposure, expiry, key, "cookie");
    const seconds = Math.max(1, Math.floor((expiry - now) / 1000));
    const setCookie =
      `${COOKIE}=${value}; Path=/; Max-Age=${seconds}; HttpOnly; Secure; SameSite=Lax`;
    return {
      request: clean,
      redirect: { location: `https://${request.host}${target}`, setCookie },
    };
  }
  if (
    isOwnDoing(request) &&
    cookies.some((cookie) => verifyLink(exposure, cookie, key, now, "cookie") !== undefined)
  ) {
    return { request: clean };
  }
  throw new PaddockError(parameters.length > 0 ? "ACCESS_DENIED" : "ACCESS_TOKEN_NEEDED");
}

/** Until when the parameters let in; undefined when none of them does. */
function expiryOf(
  parameters: [string, string][],
  exposure: Exposure,
  key: Uint8Array,
  now: number,
): number | undefined {
  for (const [name, value] of parameters) {
    if (name === LINK_PARAMETER) {
      const expiry = verifyLink(exposure, value, key, now);
      if (expiry !== undefined) return expiry;
    } else if (isToken(value, exposure)) return now + COOKIE_MS;
  }
  return undefined;
}

function isToken(token: string, { accessHash }: Exposure): boolean {
  if (accessHash === null) return false;
  const given = createHash("sha256").update(Buffer.from(token, "latin1")).digest();
  const expected = Buffer.from(accessHash, "hex");
  return expected.length === given.length && timingSafeEqual(given, expected);
}

/**
 * A cookie comes along on its own. Other sandboxes share the base domain, so that to a browser they
 * are the same site: what their pages cause is told by where a request comes from.
 */
function isOwnDoing({ headers, host }: VisitRequest): boolean {
  const origin = single(headers, "origin");
  if (origin !== undefined && origin !== `https://${host}`) return false;
  const site = single(headers, "sec-fetch-site");
  if (site === undefined || site === "same-origin" || site === "none") return true;
  return single(headers, "sec-fetch-mode") === "navigate";
}

/** More than one came from somebody else, who must not keep the visitor's own from being seen. */
const MAX_COOKIES = 8;

function withoutCookies(headers: Headers): { headers: Headers; cookies: string[] } {
  const cookies: string[] = [];
  if (!headers.some(({ key, value }) => key === "cookie" && value.includes(COOKIE))) {
    return { headers, cookies };
  }
  const kept: Headers = [];
  for (const entry of headers) {
    if (entry.key !== "cookie") {
      kept.push(entry);
      continue;
    }
    const rest = entry.value.split(";").map((pair) => pair.replace(/^[ \t]+|[ \t]+$/g, ""))
      .filter((pair) => {
        if (!pair.startsWith(`${COOKIE}=`)) return true;
        if (cookies.length < MAX_COOKIES) cookies.push(pair.slice(COOKIE.length + 1));
        return false;
      });
    if (rest.length > 0) kept.push(field(entry.name, rest.join("; ")));
  }
  return { headers: kept, cookies };
}

/** The target without our parameters; every other byte of it stays as it was. */
function withoutParameters(target: string): { target: string; parameters: [string, string][] } {
  const parameters: [string, string][] = [];
  const mark = target.indexOf("?");
  if (mark < 0) return { target, parameters };
  const kept = target.slice(mark + 1).split("&").filter((part) => {
    const equals = part.indexOf("=");
    const name = equals < 0 ? part : part.slice(0, equals);
    if (name !== TOKEN_PARAMETER && name !== LINK_PARAMETER) return true;
    parameters.push([name, decode(equals < 0 ? "" : part.slice(equals + 1))]);
    return false;
  });
  const path = target.slice(0, mark);
  return { target: kept.length === 0 ? path : `${path}?${kept.join("&")}`, parameters };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
