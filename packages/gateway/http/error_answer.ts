import { randomBytes } from "node:crypto";
import { PaddockError } from "@paddock/protocol";
import { field, type Headers, single } from "./header_fields.ts";
import { errorPage } from "./error_page.ts";
import type { Visit } from "./visit.ts";

const RETRY_AFTER_S: Partial<Record<PaddockError["code"], string>> = {
  SANDBOX_STARTING: "1",
  GATEWAY_BUSY: "1",
  SHUTTING_DOWN: "5",
};

/** Answers in the sandbox's place: a page for a browser, `{code, message, traceId}` for a program. */
export function answerError(visit: Visit, error: PaddockError, traceId: string): void {
  const wantsPage = acceptsHtml(single(visit.request.headers, "accept"));
  const { code, status, publicMessage: message, hint } = error;
  const body = Buffer.from(
    wantsPage ? errorPage({ status, code, message, hint, traceId }) : JSON.stringify({
      ...{ code, message, traceId },
      ...(hint === undefined ? {} : { hint }),
    }),
  );
  const headers: Headers = [
    field("Content-Type", wantsPage ? "text/html; charset=utf-8" : "application/json"),
    field("Content-Length", String(body.length)),
    field("Cache-Control", "no-store"),
    field("X-Content-Type-Options", "nosniff"),
    field("X-Paddock-Error", code),
    field("X-Deno-Trace-Id", traceId),
  ];
  if (wantsPage) {
    headers.push(
      field("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'"),
      field("Referrer-Policy", "no-referrer"),
    );
  }
  if (status === 401) headers.push(field("WWW-Authenticate", `Paddock realm="preview"`));
  const retryAfter = RETRY_AFTER_S[code];
  if (retryAfter) headers.push(field("Retry-After", retryAfter));
  const bodiless = visit.request.method === "HEAD";
  visit.begin({
    ...{ status, reason: "Paddock", headers },
    body: bodiless ? "none" : { length: body.length },
  });
  if (!bodiless) visit.write(body);
  visit.end([]);
}

export function newTraceId(): string {
  return randomBytes(16).toString("hex");
}

function acceptsHtml(accept: string | undefined | null): boolean {
  return accept !== undefined && accept !== null && /\btext\/html\b/i.test(accept);
}
