import { z } from "zod";
import { worstIssue } from "./_codec_parts.ts";
import { volumeMountsSchema, volumeReferenceSchema } from "./_volume_mounts.ts";
import { checkpointReferenceSchema } from "./rest_checkpoints.ts";
import { defaultLimits, type LimitValues } from "./limits.ts";
import { PaddockError } from "./paddock_error.ts";
import { SANDBOX_ID_PATTERN } from "./sandbox_id.ts";
import { parseTimeout, type Timeout } from "./timeout.ts";

type ConfigLimits = Pick<
  LimitValues,
  | "memoryDefaultMb"
  | "memoryMinMb"
  | "memoryMaxMb"
  | "timeoutMinMs"
  | "timeoutMaxMs"
  | "labels"
  | "labelKeyBytes"
  | "labelValueBytes"
  | "envVars"
  | "envKeyBytes"
  | "envValueBytes"
  | "envBytes"
  | "volumesPerSandbox"
  | "pauseIdleMinMs"
>;

function byteLength(text: string): number {
  return new TextEncoder().encode(text).length;
}

/** Absent and null are one. */
function maybe<T extends z.ZodType>(schema: T) {
  return schema.nullish().transform((value) => value ?? undefined);
}

function labelsSchema(limits: ConfigLimits) {
  return z.record(z.string(), z.string()).superRefine((labels, context) => {
    const entries = Object.entries(labels);
    const refuse = (message: string, path: string[] = []) =>
      context.addIssue({ code: "custom", message, path });
    if (entries.length > limits.labels) {
      refuse(
        `at most ${limits.labels} labels are allowed (limits.labels), these are ${entries.length}`,
      );
    }
    for (const [key, value] of entries) {
      if (key === "") refuse("a label's key must not be empty", [key]);
      if (byteLength(key) > limits.labelKeyBytes) {
        refuse(`a label's key has at most ${limits.labelKeyBytes} bytes (limits.labelKeyBytes)`, [
          key.slice(0, 64),
        ]);
      }
      if (byteLength(value) > limits.labelValueBytes) {
        refuse(
          `a label's value has at most ${limits.labelValueBytes} bytes (limits.labelValueBytes)`,
          [key.slice(0, 64)],
        );
      }
    }
  });
}

function environmentSchema(limits: ConfigLimits) {
  return z.record(z.string(), z.string()).superRefine((env, context) => {
    const entries = Object.entries(env);
    const refuse = (message: string, path: string[] = []) =>
      context.addIssue({ code: "custom", message, path });
    if (entries.length > limits.envVars) {
      refuse(`at most ${limits.envVars} variables are allowed (limits.envVars)`);
    }
    if (byteLength(JSON.stringify(env)) > limits.envBytes) {
      refuse(
        `all variables together have at most ${limits.envBytes} bytes as JSON (limits.envBytes)`,
      );
    }
    for (const [key, value] of entries) {
      const path = [key.slice(0, 64)];
      if (!/^[^=\0]+$/.test(key)) refuse("a variable's name must not be empty or contain =", path);
      if (value.includes("\0")) refuse("a variable's value must not contain NUL", path);
      if (byteLength(key) > limits.envKeyBytes) {
        refuse(
          `a variable's name has at most ${limits.envKeyBytes} bytes (limits.envKeyBytes)`,
          path,
        );
      }
      if (byteLength(value) > limits.envValueBytes) {
        refuse(
          `a variable's value has at most ${limits.envValueBytes} bytes (limits.envValueBytes)`,
          path,
        );
      }
    }
  });
}

function memorySchema(limits: ConfigLimits) {
  const range = `must be between ${limits.memoryMinMb} and ${limits.memoryMaxMb} MiB ` +
    "(limits.memoryMinMb, limits.memoryMaxMb)";
  return z.int().min(limits.memoryMinMb, range).max(limits.memoryMaxMb, range);
}

const instant = z.int().min(1);

/** What `x-deno-sandbox-config` and the body of `POST /api/v3/sandboxes` may say. */
export function createSandboxConfigSchema(limits: ConfigLimits = defaultLimits) {
  return z.strictObject({
    stop_at_ms: maybe(instant),
    memory_mb: maybe(memorySchema(limits)),
    labels: maybe(labelsSchema(limits)),
    /** Ours: id or name of a checkpoint to go on from. */
    checkpoint: maybe(checkpointReferenceSchema),
    /** Ours: name or id of a template to be made from. */
    template: maybe(checkpointReferenceSchema),
    root: maybe(z.strictObject({ volume: volumeReferenceSchema })),
    volumes: maybe(volumeMountsSchema(limits)),
    allow_net: maybe(z.array(z.string())),
    secrets: maybe(z.record(z.string(), z.unknown())),
    // Ours: a duration does not depend on the client's clock.
    timeout: maybe(z.string()),
    /** Ours: paused when nobody was connected for this long. */
    pause_after_idle: maybe(z.string()),
    region: maybe(z.string()),
    env: maybe(environmentSchema(limits)),
    /** Where the operator allows a choice. */
    driver: maybe(z.enum(["firecracker", "gvisor", "qemu"])),
  });
}

/** What `x-denodeploy-config-v2` may say (client 0.2). */
export function createDenodeployConfigV2Schema(limits: ConfigLimits = defaultLimits) {
  return z.strictObject({
    sandbox_id: z.uuid().or(z.string().regex(SANDBOX_ID_PATTERN)),
    mode: z.enum(["create", "connect"]),
    stop_at_ms: maybe(instant),
    labels: maybe(labelsSchema(limits)),
    memory_mb: maybe(memorySchema(limits)),
  });
}

export const sandboxConfigSchema: ReturnType<typeof createSandboxConfigSchema> =
  createSandboxConfigSchema();

/** Making one takes longer than all it is used for in a creation, and a server has one set of limits. */
const schemas = new WeakMap<ConfigLimits, ReturnType<typeof createSandboxConfigSchema>>();

function schemaFor(limits: ConfigLimits): ReturnType<typeof createSandboxConfigSchema> {
  let schema = schemas.get(limits);
  if (!schema) schemas.set(limits, schema = createSandboxConfigSchema(limits));
  return schema;
}
export const denodeployConfigV2Schema: ReturnType<typeof createDenodeployConfigV2Schema> =
  createDenodeployConfigV2Schema();

/** A checked configuration, whichever client it came from. */
export interface SandboxConfig {
  /** Epoch milliseconds, or until the creating connection closes. */
  stopAt: number | "session";
  memoryMb: number;
  labels: Record<string, string>;
  /** As the client wrote it; `resolveRegion` knows what it means. */
  region?: string;
  env: Record<string, string>;
  /** Goes on from this checkpoint, whose memory, driver and environment it has. */
  checkpoint?: string;
  /** Is made from this template, with this much memory if another than the template's is asked for. */
  template?: { reference: string; memoryMb: number | undefined };
  root?: { volume: string };
  volumes: { volume: string; path: string }[];
  allowNet?: string[];
  secrets: Record<string, unknown>;
  driver?: "firecracker" | "gvisor" | "qemu";
  pauseAfterIdleMs?: number;
}

interface ParseOptions {
  limits?: ConfigLimits;
  /** Epoch milliseconds; the clock, when left out. */
  now?: number;
}

/** Throws INVALID_CONFIG with the field, or TIMEOUT_TOO_LONG. */
export function parseSandboxConfig(value: unknown, options: ParseOptions = {}): SandboxConfig {
  const { limits = defaultLimits, now = Date.now() } = options;
  const config = parseConfig(schemaFor(limits), value ?? {});
  if (config.timeout !== undefined && config.stop_at_ms !== undefined) {
    throw new PaddockError("INVALID_CONFIG", {
      message: "timeout: give either timeout or stop_at_ms, not both",
      field: "timeout",
    });
  }
  if (config.checkpoint !== undefined) {
    const has = ["memory_mb", "env", "root", "volumes", "driver", "template"] as const;
    refuseOwn(config, has, "a sandbox that goes on from a checkpoint has what that has");
  }
  if (config.template !== undefined) {
    const has = ["root", "volumes", "driver"] as const;
    refuseOwn(config, has, "a sandbox that is made from a template has what that has");
  }
  const timeout = parseTimeout(config.timeout);
  const pauseAfterIdleMs = parsePauseAfterIdle(
    config.pause_after_idle,
    timeout === "session" && config.stop_at_ms === undefined,
    limits,
  );
  return {
    stopAt: config.stop_at_ms !== undefined
      ? checkStopAt(config.stop_at_ms, "stop_at_ms", limits, now)
      : stopAtOf(timeout, limits, now),
    memoryMb: config.memory_mb ?? limits.memoryDefaultMb,
    labels: config.labels ?? {},
    env: config.env ?? {},
    volumes: config.volumes ?? [],
    secrets: config.secrets ?? {},
    ...(config.region === undefined ? {} : { region: config.region }),
    ...(config.checkpoint === undefined ? {} : { checkpoint: config.checkpoint }),
    ...(config.template === undefined
      ? {}
      : { template: { reference: config.template, memoryMb: config.memory_mb } }),
    ...(config.root === undefined ? {} : { root: config.root }),
    ...(config.driver === undefined ? {} : { driver: config.driver }),
    ...(config.allow_net === undefined ? {} : { allowNet: config.allow_net }),
    ...(pauseAfterIdleMs === undefined ? {} : { pauseAfterIdleMs }),
  };
}

function parsePauseAfterIdle(
  text: string | undefined,
  session: boolean,
  { pauseIdleMinMs }: ConfigLimits,
): number | undefined {
  if (text === undefined) return undefined;
  const field = "pause_after_idle";
  const refuse = (message: string) =>
    new PaddockError("INVALID_CONFIG", { message: `${field}: ${message}`, field });
  if (session) throw refuse("a sandbox that ends with its session is never idle: give a timeout");
  const idle = parseTimeout(text, field);
  if (idle === "session") throw refuse('a duration is needed, for example "5m"');
  if (idle >= pauseIdleMinMs) return idle;
  throw refuse(`must be at least ${pauseIdleMinMs / 1000} s (limits.pauseIdleMinMs)`);
}

function refuseOwn<T extends string>(
  config: Partial<Record<T, unknown>>,
  fields: readonly T[],
  why: string,
): void {
  const field = fields.find((name) => config[name] !== undefined);
  if (field) throw new PaddockError("INVALID_CONFIG", { message: `${field}: ${why}`, field });
}

export interface DenodeployConfigV2 {
  /** The id the client chose. */
  sandboxId: string;
  mode: "create" | "connect";
  config: SandboxConfig;
}

/** What client 0.2 says a sandbox has by default. It leaves that to the server; later ones send it. */
const V2_MEMORY_MB = 1024;

/** As `parseSandboxConfig`, for client 0.2. */
export function parseDenodeployConfigV2(
  value: unknown,
  options: ParseOptions = {},
): DenodeployConfigV2 {
  const { limits = defaultLimits } = options;
  const { sandbox_id, mode, ...rest } = parseConfig(createDenodeployConfigV2Schema(limits), value);
  const memory_mb = rest.memory_mb ??
    Math.min(limits.memoryMaxMb, Math.max(limits.memoryDefaultMb, V2_MEMORY_MB));
  return {
    sandboxId: sandbox_id,
    mode,
    config: parseSandboxConfig({ ...rest, memory_mb }, options),
  };
}

/** Parses with any schema; what is wrong becomes INVALID_CONFIG with the field's name. */
export function parseConfig<T extends z.ZodType>(schema: T, value: unknown): z.output<T> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const { field, message } = worstIssue(parsed.error.issues as Parameters<typeof worstIssue>[0]);
  throw new PaddockError("INVALID_CONFIG", {
    message: field ? `${field}: ${message}` : message,
    ...(field ? { field } : {}),
  });
}

function stopAtOf(timeout: Timeout, limits: ConfigLimits, now: number): number | "session" {
  return timeout === "session" ? timeout : checkStopAt(now + timeout, "timeout", limits, now);
}

/** How far a client's clock may be off before its instants are taken at their word. */
const CLOCK_SLACK_MS = 60_000;

function checkStopAt(stopAt: number, field: string, limits: ConfigLimits, now: number): number {
  if (stopAt <= now) {
    throw new PaddockError("INVALID_CONFIG", {
      message: `${field}: the sandbox would have ended before it begins`,
      field,
    });
  }
  const slack = field === "stop_at_ms" ? CLOCK_SLACK_MS : 0;
  if (stopAt - now > limits.timeoutMaxMs + slack) {
    throw new PaddockError("TIMEOUT_TOO_LONG", {
      message: `${field}: a sandbox lives for at most ${limits.timeoutMaxMs / 60_000} minutes ` +
        `(limits.timeoutMaxMs)`,
      field,
      details: { limit: "timeoutMaxMs", max: limits.timeoutMaxMs },
    });
  }
  return stopAt;
}
