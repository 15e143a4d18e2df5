import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { defaultRegions, type LimitName, limits, PaddockError } from "@paddock/protocol";
import { z } from "zod";
import { configSourceOfEnv } from "./config_env.ts";

const driverNames = ["firecracker", "gvisor", "qemu"] as const;

const DEFAULT_FILE = "/etc/paddock/config.json";

const listenSchema = (defaultHost: string) =>
  z.union([
    z.string().transform((text, context) => {
      const match = /^(?:(?:\[([0-9a-fA-F:.]+)\]|([^:[\]\s]*)):)?(\d{1,5})$/.exec(text);
      if (match && Number(match[3]) <= 65_535) {
        return { host: match[1] || match[2] || defaultHost, port: Number(match[3]) };
      }
      context.addIssue({ code: "custom", message: "expected host:port such as 127.0.0.1:4200" });
      return z.NEVER;
    }),
    z.strictObject({ host: z.string().min(1), port: z.int().min(0).max(65_535) }),
  ]);

/** Left out: localhost, on the port that is named for it when that is free, else on any. */
const gatewayListen = listenSchema("localhost").optional();

const tlsSchema = z.discriminatedUnion("mode", [
  /** By an authority of the node's own, made at the first start. */
  z.strictObject({ mode: z.literal("local") }),
  /** From PEM files that somebody else renews. */
  z.strictObject({ mode: z.literal("files"), cert: z.string().min(1), key: z.string().min(1) }),
  z.strictObject({
    mode: z.literal("acme"),
    directoryUrl: z.url({ protocol: /^https?$/ }),
    email: z.email().optional(),
    /** Says that the operator has read and accepts the authority's terms of service. */
    acceptTerms: z.literal(true, { error: "must be true: the authority's terms are accepted" }),
    /** PEM file of an authority of the ACME server itself, where it is a private one. */
    trust: z.string().min(1).optional(),
    challenge: z.discriminatedUnion("type", [
      z.strictObject({ type: z.literal("http-01"), listen: listenSchema("0.0.0.0").optional() }),
      z.strictObject({
        type: z.literal("dns-01"),
        /** Called with `set` or `clear`, the record's name and its value appended. */
        hook: z.array(z.string().min(1)).min(1),
        hookTimeoutMs: z.int().min(1_000).max(3_600_000).default(120_000),
      }),
    ]),
  }),
]);

const regionSchema = z.strictObject({
  code: z.string().regex(/^[a-z]{3}$/, "a region's code is three small letters"),
  aliases: z.array(z.string().regex(/^[a-z0-9-]{1,32}$/)).default([]),
});

const limitShape = Object.fromEntries(
  Object.entries(limits).map(([name, limit]) => {
    const { min, max, unit } = limit as { min?: number; max?: number; unit: string };
    const whole = unit === "cpus" ? z.number().positive() : z.int();
    let schema = whole.min(min ?? (unit === "cpus" ? 0 : 1));
    if (max !== undefined) schema = schema.max(max);
    return [name, schema.default(limit.default)];
  }),
) as unknown as Record<LimitName, z.ZodDefault<z.ZodNumber>>;

const configSchema = z.strictObject({
  /** Host `localhost` listens on 127.0.0.1 and on ::1 where there is one. Port 0: any free one. */
  listen: listenSchema("127.0.0.1").default({ host: "127.0.0.1", port: 4200 }),
  dataDir: z.string().min(1).default("/var/lib/paddock"),
  /** Preview URLs are names below this one. */
  baseDomain: z.string().regex(
    /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:\d{1,5})?$/,
    "expected a domain name",
  ).default("sandbox.localhost"),
  /** Preview URLs: where visitors come in, and with which certificate. */
  ingress: z.strictObject({
    enabled: z.boolean().default(true),
    listen: gatewayListen,
    tls: tlsSchema.default({ mode: "local" }),
  }).prefault({}),
  ssh: z.strictObject({
    enabled: z.boolean().default(true),
    listen: gatewayListen,
  }).prefault({}),
  /** Where the node's metrics are served, at `/metrics` and without a token; nowhere when left out. */
  metricsListen: listenSchema("127.0.0.1").optional(),
  /** Where address and token are written once the server can serve. */
  readyFile: z.string().min(1).optional(),
  logLevel: z.enum(["debug", "info", "warn", "error"]).default("info"),
  logFormat: z.enum(["auto", "json", "pretty"]).default("auto"),
  /** What a sandbox is: `auto` takes the first of firecracker, gvisor, qemu that works here. */
  driver: z.enum(["auto", ...driverNames]).default("auto"),
  /** Drivers that a creation may ask for by name, beside the one above. */
  allowDrivers: z.array(z.enum(driverNames)).default([]),
  /** Of virtual machines, the ones of firecracker and qemu. */
  vm: z.strictObject({
    /** A kernel of the operator's own, bzImage or ELF; Debian's cloud kernel when left out. */
    kernel: z.string().min(1).optional(),
  }).prefault({}),
  /** Whose certificate authorities guests trust: the host's, or Debian's alone. */
  imageTrust: z.enum(["host", "debian"]).default("host"),
  /**
   * When VS Code (some 300 MB) is installed where it is missing: in the background once the server
   * serves, or when our client or the operator first asks. Published clients cannot ask.
   */
  vscodeInstall: z.enum(["at_start", "on_demand"]).default("at_start"),
  /** The organisation of the token in the ready file. */
  organization: z.string().regex(
    /^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$/,
    "expected 1 to 40 of a-z, 0-9 and inner hyphens",
  ).default("default"),
  /** The first is the default. */
  regions: z.array(regionSchema).min(1).default(() =>
    defaultRegions.map(({ code, aliases }) => ({ code, aliases: [...aliases] }))
  ),
  network: z.strictObject({
    /** Sandboxes take their links from this private range. */
    range: z.string().optional(),
    /** Name servers that sandboxes ask; the host's own when left out. */
    resolvers: z.array(z.string()).optional(),
    /** Private addresses, nets or address:port that sandboxes may reach all the same. */
    allowPrivate: z.array(z.string()).optional(),
  }).default({}),
  /** Network links and disks kept ready, so that a creation does not wait for them. */
  prewarmSlots: z.int().min(0).max(64).default(2),
  /** Sandboxes are restored from a machine that was booted once; else each of them boots. */
  templates: z.enum(["on", "off"]).default("on"),
  limits: z.strictObject(limitShape).prefault({}),
}).superRefine(({ regions, limits }, context) => {
  const names = regions.flatMap(({ code, aliases }) => [code, ...aliases]);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) {
    context.addIssue({ code: "custom", path: ["regions"], message: `"${twice}" stands twice` });
  }
  if (limits.memoryMinMb > limits.memoryMaxMb) {
    context.addIssue({
      code: "custom",
      path: ["limits", "memoryMinMb"],
      message: `is above limits.memoryMaxMb (${limits.memoryMaxMb})`,
    });
  }
  if (limits.memoryDefaultMb < limits.memoryMinMb || limits.memoryDefaultMb > limits.memoryMaxMb) {
    context.addIssue({
      code: "custom",
      path: ["limits", "memoryDefaultMb"],
      message: `is not between ${limits.memoryMinMb} and ${limits.memoryMaxMb}`,
    });
  }
});

export type Config = Omit<z.output<typeof configSchema>, "limits"> & {
  limits: Record<LimitName, number>;
};

export interface ConfigSources {
  env: Record<string, string | undefined>;
  /** `config` is the path of a JSON file; the other keys are the configuration's own. */
  flags?: Record<string, unknown> & { config?: string };
}

/** A variable or a flag sets one of the settings in these, and leaves the others alone. */
const MERGED: readonly string[] = ["ingress", "ssh", "limits"];

/** A value and where it was written, so that an error can say whose line is wrong. */
interface Source {
  name: string;
  values: Record<string, unknown>;
}

/** Defaults, then a JSON file, then the environment, then flags: the later wins, key by key. */
export function loadConfig({ env, flags = {} }: ConfigSources): Config {
  const { config: path, ...flagValues } = flags;
  const sources: Source[] = [
    readFile(path ?? env.PADDOCK_CONFIG),
    configSourceOfEnv(env),
    { name: "the command line", values: withoutUndefined(flagValues) },
  ];
  const merged: Record<string, unknown> = {};
  for (const { values } of sources) {
    for (const [key, value] of Object.entries(values)) {
      merged[key] = MERGED.includes(key) && isObject(value)
        ? { ...merged[key] as object, ...value }
        : value;
    }
  }
  const parsed = configSchema.safeParse(merged);
  if (!parsed.success) throw invalid(parsed.error, sources);
  const config = parsed.data as Config;
  config.dataDir = resolve(config.dataDir);
  if (config.readyFile !== undefined) config.readyFile = resolve(config.readyFile);
  const { tls } = config.ingress;
  if (tls.mode === "files") [tls.cert, tls.key] = [resolve(tls.cert), resolve(tls.key)];
  if (tls.mode === "acme" && tls.trust !== undefined) tls.trust = resolve(tls.trust);
  return config;
}

function readFile(asked: string | undefined): Source {
  const path = asked ?? DEFAULT_FILE;
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    const missing = (cause as { code?: string }).code === "ENOENT";
    if (missing && asked === undefined) return { name: path, values: {} };
    throw new PaddockError("INVALID_SERVER_CONFIG", {
      message: missing
        ? `the configuration file ${path} does not exist`
        : `the configuration file ${path} cannot be read`,
      field: "config",
      cause,
    });
  }
  let values: unknown;
  try {
    values = JSON.parse(text);
  } catch (cause) {
    throw new PaddockError("INVALID_SERVER_CONFIG", {
      message: `the configuration file ${path} is not JSON: ${(cause as Error).message}`,
      field: "config",
      cause,
    });
  }
  if (!isObject(values)) {
    throw new PaddockError("INVALID_SERVER_CONFIG", {
      message: `the configuration file ${path} does not hold a JSON object`,
      field: "config",
    });
  }
  return { name: path, values };
}

function invalid(error: z.ZodError, sources: Source[]): PaddockError {
  const [issue] = error.issues;
  const unknownKey = issue.code === "unrecognized_keys" ? [issue.keys[0]] : [];
  const path = [...issue.path, ...unknownKey].map(String);
  const field = path.join(".");
  const source = sources.findLast(({ values }) => holds(values, path.slice(0, 2)))?.name ??
    sources.findLast(({ values }) => holds(values, path.slice(0, 1)))?.name;
  const what = unknownKey.length > 0 ? "there is no such setting" : messageOf(issue);
  return new PaddockError("INVALID_SERVER_CONFIG", {
    message: `${field}${source ? ` in ${source}` : ""}: ${what}`,
    field,
  });
}

function messageOf(issue: z.core.$ZodIssue): string {
  if (issue.code !== "invalid_union") return issue.message;
  // Of a union only the branch for the given type is worth reading.
  const branch = issue.errors.flat().find((inner) => inner.code !== "invalid_type");
  return branch?.message ?? issue.message;
}

function holds(values: unknown, path: string[]): boolean {
  let at: unknown = values;
  for (const key of path) {
    if (!isObject(at) || !Object.hasOwn(at, key)) return false;
    at = at[key];
  }
  return path.length > 0;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function withoutUndefined(values: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
}
