import { limits, PaddockError } from "@paddock/protocol";

const KEYS: Record<string, string> = {
  PADDOCK_LISTEN: "listen",
  PADDOCK_DATA_DIR: "dataDir",
  PADDOCK_METRICS_LISTEN: "metricsListen",
  PADDOCK_BASE_DOMAIN: "baseDomain",
  PADDOCK_READY_FILE: "readyFile",
  PADDOCK_LOG_LEVEL: "logLevel",
  PADDOCK_LOG_FORMAT: "logFormat",
  PADDOCK_DRIVER: "driver",
  PADDOCK_IMAGE_TRUST: "imageTrust",
  PADDOCK_VSCODE_INSTALL: "vscodeInstall",
  PADDOCK_TEMPLATES: "templates",
  PADDOCK_ORGANIZATION: "organization",
  PADDOCK_REGIONS: "regions",
};

/** Settings inside another, one level down. */
const NESTED: Record<string, readonly [string, string]> = {
  PADDOCK_INGRESS_LISTEN: ["ingress", "listen"],
  PADDOCK_SSH_LISTEN: ["ssh", "listen"],
};

const NUMBERS: Record<string, string> = { PADDOCK_PREWARM_SLOTS: "prewarmSlots" };

const LIMIT_PREFIX = "PADDOCK_LIMITS_";

/**
 * The settings among `PADDOCK_*`. Other names with that prefix belong to clients and guests
 * (`PADDOCK_ENDPOINT`, `PADDOCK_TOKEN`, …) and are not ours to judge.
 */
export function configSourceOfEnv(
  env: Record<string, string | undefined>,
): { name: string; values: Record<string, unknown> } {
  const values: Record<string, unknown> = {};
  const limitValues: Record<string, number> = {};
  for (const [name, text] of Object.entries(env)) {
    if (text === undefined || text === "") continue;
    if (name.startsWith(LIMIT_PREFIX)) {
      limitValues[limitName(name)] = number(name, text);
    } else if (Object.hasOwn(NUMBERS, name)) {
      values[NUMBERS[name]] = number(name, text);
    } else if (Object.hasOwn(NESTED, name)) {
      const [outer, inner] = NESTED[name];
      values[outer] = { [inner]: text };
    } else if (Object.hasOwn(KEYS, name)) {
      values[KEYS[name]] = name === "PADDOCK_REGIONS" ? regions(text) : text;
    }
  }
  if (Object.keys(limitValues).length > 0) values.limits = limitValues;
  return { name: "the environment", values };
}

/** PADDOCK_LIMITS_MEMORY_MAX_MB is limits.memoryMaxMb. */
function limitName(variable: string): string {
  const name = Object.keys(limits).find((limit) =>
    limit.replace(/[A-Z]/g, "_$&").toUpperCase() === variable.slice(LIMIT_PREFIX.length)
  );
  if (name !== undefined) return name;
  throw new PaddockError("INVALID_SERVER_CONFIG", {
    message: `${variable} in the environment: there is no such limit`,
    field: variable,
  });
}

function number(variable: string, text: string): number {
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text);
  throw new PaddockError("INVALID_SERVER_CONFIG", {
    message: `${variable} in the environment: expected a number, got "${text}"`,
    field: variable,
  });
}

/** `ams=eu-west-1,ord=us-east-2` or `ams,ord`. */
function regions(text: string): { code: string; aliases: string[] }[] {
  return text.split(",").map((part) => {
    const [code, ...aliases] = part.trim().split("=");
    return { code, aliases };
  });
}
