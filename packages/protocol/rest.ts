import { z } from "zod";
import { parseConfig } from "./sandbox_config.ts";
import { SANDBOX_ID_PATTERN } from "./sandbox_id.ts";
import { PaddockError } from "./paddock_error.ts";
import { parseTimeout } from "./timeout.ts";
import { defaultLimits, type LimitValues } from "./limits.ts";

export const sandboxIdSchema: z.ZodType<string> = z.string().regex(
  SANDBOX_ID_PATTERN,
  "must look like sbx_ams_ followed by twenty characters",
);

const isoTime = z.iso.datetime();

/** Body of every HTTP error answer. */
export const apiErrorSchema = z.object({
  code: z.string(),
  message: z.string(),
  field: z.string().optional(),
  hint: z.string().optional(),
  traceId: z.string().optional(),
});

export const sandboxStatusSchema = z.enum(["running", "paused", "stopped"]);

/** An item of `GET /api/v2/sandboxes`, and the answer of `GET /api/v3/sandbox/:id`. */
export const sandboxMetadataSchema = z.object({
  id: sandboxIdSchema,
  /** As `id`, or what client 0.2 called it. */
  sandboxId: z.string(),
  createdAt: isoTime,
  stoppedAt: isoTime.nullable(),
  region: z.string(),
  status: sandboxStatusSchema,
  labels: z.record(z.string(), z.string()),
  driver: z.string(),
  /** How it came by its machine; null once it has stopped. */
  origin: z.enum(["pooled", "restored", "booted"]).nullable(),
  /** What its machine can do beside running: `checkpoint`, `pause`, …; none once it has stopped. */
  capabilities: z.array(z.string()),
  memoryMb: z.int(),
  /** null: until its session's connection closes. Of a paused one: when it ends unless it is resumed. */
  stopAt: isoTime.nullable(),
  /** Since when it is paused; null when it is not. */
  pausedAt: isoTime.nullable(),
  /** The sandbox that it is a fork of. */
  parent: sandboxIdSchema.nullable(),
  /** The name of the template that it was made from, or that its original was. */
  template: z.string().nullable(),
  endReason: z.string().nullable(),
});

export const sandboxListSchema = z.array(sandboxMetadataSchema);

/** Answer of `POST /api/v3/sandboxes`. */
export const createdSandboxSchema = z.object({
  id: sandboxIdSchema,
  region: z.string(),
  driver: z.string(),
  capabilities: z.array(z.string()),
  memoryMb: z.int(),
  createdAt: isoTime,
  stopAt: isoTime.nullable(),
  labels: z.record(z.string(), z.string()),
});

/** Body of `PATCH /api/v3/sandbox/:id`: an instant, or (ours) a duration from now. */
export const extendRequestSchema = z.union([
  z.strictObject({ stop_at_ms: z.int().min(1) }),
  z.strictObject({ timeout: z.string() }),
]);

export const extendAnswerSchema = z.object({ stop_at_ms: z.int() });

export const healthSchema = z.object({ ok: z.boolean(), version: z.string() }).catchall(
  z.unknown(),
);

export const versionSchema = z.object({ version: z.string(), api: z.array(z.string()) }).catchall(
  z.unknown(),
);

export type ApiError = z.infer<typeof apiErrorSchema>;
export type SandboxMetadata = z.infer<typeof sandboxMetadataSchema>;
export type CreatedSandbox = z.infer<typeof createdSandboxSchema>;
export type Health = z.infer<typeof healthSchema>;
export type Version = z.infer<typeof versionSchema>;

/** When the sandbox shall stop, from the body of an extension. Throws INVALID_CONFIG. */
export function parseExtendRequest(
  body: unknown,
  options: { limits?: Pick<LimitValues, "timeoutExtendMaxMs">; now?: number } = {},
): number {
  const { limits = defaultLimits, now = Date.now() } = options;
  const request = parseConfig(extendRequestSchema, body);
  const field = "stop_at_ms" in request ? "stop_at_ms" : "timeout";
  const timeout = "stop_at_ms" in request
    ? request.stop_at_ms - now
    : parseTimeout(request.timeout);
  if (timeout === "session" || timeout <= 0) {
    throw new PaddockError("INVALID_CONFIG", {
      message: `${field}: an extension needs a time ahead of now, for example "5m"`,
      field,
    });
  }
  // A client computes the instant before it asks: a full 30 minutes must not fail by a second.
  if (timeout > limits.timeoutExtendMaxMs + 5_000) {
    throw new PaddockError("TIMEOUT_TOO_LONG", {
      message: `${field}: a sandbox is extended by at most ${
        limits.timeoutExtendMaxMs / 60_000
      } minutes at once (limits.timeoutExtendMaxMs)`,
      field,
      details: { limit: "timeoutExtendMaxMs", max: limits.timeoutExtendMaxMs },
    });
  }
  return now + timeout;
}
