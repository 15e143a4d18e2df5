const STATUSES = [301, 302, 303, 307, 308];
const BODY_HEADERS = [
  "content-encoding",
  "content-language",
  "content-length",
  "content-location",
  "content-type",
];
/** Meant for one server, and not told to another that it names. */
const PRIVATE_HEADERS = ["authorization", "cookie", "proxy-authorization"];

export interface Step {
  url: URL;
  method: string;
  headers: Headers;
  /** Whether the body goes along. */
  withBody: boolean;
}

/** The request that a response asks for in place of the one it answers; undefined for none. */
export function redirected(step: Step, response: Response): Step | undefined {
  const location = response.headers.get("location");
  if (!STATUSES.includes(response.status) || location === null) return undefined;
  const url = new URL(location, step.url);
  if (url.protocol !== "http:" && url.protocol !== "https:") {
    throw new TypeError(`Fetch failed: a redirect to ${url.protocol} is not followed`);
  }
  const headers = new Headers(step.headers);
  if (url.origin !== step.url.origin) { for (const name of PRIVATE_HEADERS) headers.delete(name); }
  const { status } = response;
  const asGet = step.method === "POST"
    ? status <= 303
    : status === 303 && step.method !== "GET" && step.method !== "HEAD";
  if (!asGet) return { ...step, url, headers };
  for (const name of BODY_HEADERS) headers.delete(name);
  return { url, method: "GET", headers, withBody: false };
}
