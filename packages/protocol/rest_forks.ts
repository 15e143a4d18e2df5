import { z } from "zod";
import { defaultLimits, type LimitValues } from "./limits.ts";
import { createdSandboxSchema } from "./rest.ts";
import { parseConfig, parseSandboxConfig } from "./sandbox_config.ts";

/** Body of `POST /api/v3/sandbox/:id/fork`. What is left out of labels and timeout is the original's. */
export const forkRequestSchema = z.strictObject({
  count: z.int().min(1).optional(),
  /** A duration from now, or `session`. */
  timeout: z.string().optional(),
  labels: z.record(z.string(), z.string()).optional(),
});

/** Its answer, in no order. */
export const forkAnswerSchema = z.object({ sandboxes: z.array(createdSandboxSchema) });

export type ForkAnswer = z.infer<typeof forkAnswerSchema>;

export interface CheckedForkRequest {
  count: number;
  /** Left out: the original's. */
  stopAt?: number | "session";
  labels?: Record<string, string>;
}

/** Throws INVALID_CONFIG with the field, or TIMEOUT_TOO_LONG. */
export function parseForkRequest(
  body: unknown,
  { limits = defaultLimits, now }: { limits?: LimitValues; now?: number } = {},
): CheckedForkRequest {
  const schema = forkRequestSchema.extend({
    count: z.int().min(1).max(
      limits.forksAtOnce,
      `at most ${limits.forksAtOnce} forks are made at once (limits.forksAtOnce)`,
    ).optional(),
  });
  const { count = 1, timeout, labels } = parseConfig(schema, body ?? {});
  const checked = parseSandboxConfig({ timeout, labels }, { limits, now });
  return {
    count,
    ...(timeout !== undefined && { stopAt: checked.stopAt }),
    ...(labels !== undefined && { labels: checked.labels }),
  };
}
