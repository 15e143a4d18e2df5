import type { Region } from "@paddock/protocol";
import type { z } from "zod";
import type { Log } from "../log.ts";
import type { Services } from "../services.ts";
import type { Identity } from "../store/tokens.ts";

/** One request to one operation. */
export interface Call {
  services: Services;
  identity: Identity;
  params: Record<string, string>;
  query: URLSearchParams;
  /** Region meant by the host name, when it names one. */
  hostRegion: Region["code"] | undefined;
  /** What the caller called this server: only for links back to it. */
  origin: string;
  /** The body as JSON; an empty body is undefined. Throws INVALID_REQUEST. */
  json(): Promise<unknown>;
  /** Aborted when the client leaves. */
  signal: AbortSignal;
  log: Log;
}

export interface Answer {
  status: number;
  /** A string goes out as text, anything else as JSON. */
  body: unknown;
  headers?: Record<string, string>;
}

/** What the router serves and what `openapi.json` says, from one description. */
export interface Operation {
  method: "get" | "post" | "patch" | "delete";
  /** Parameters in braces: `/api/v3/sandbox/{id}`. */
  path: string;
  summary: string;
  /** Open operations answer without a token. */
  open?: boolean;
  query?: Record<string, { description: string; schema: z.ZodType }>;
  body?: z.ZodType;
  answer: { status: number; description: string; schema?: z.ZodType };
  handle(call: Call): Promise<Answer> | Answer;
}
