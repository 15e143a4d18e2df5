import { defaultLimits, type LimitValues } from "@paddock/protocol";
import type { Account } from "./identity/identity.ts";

export interface AgentConfig {
  token: string;
  port: number;
  hostname: string;
  sandboxId: string;
  region: string;
  /** Where it boots for a sandbox; one that is restored is told later. */
  machineId: string | undefined;
  /** 0: not known, memory is not watched. */
  memoryBytes: number;
  /** Processes and threads beyond which the largest group is ended. */
  maxTasks: number;
  /** `meminfo` where the kernel is the guest's own; `processes` on a host shared with others. */
  memorySource: "meminfo" | "processes";
  account: Account;
  /** Directory of the agent's sockets. */
  runDir: string;
  replScript: string;
  deno: string;
  /** Variables of every command, before anything a client sets. */
  environment: Record<string, string>;
  /** Variables of the image that root's commands get as well. */
  imageEnvironment: Record<string, string>;
  limits: LimitValues;
}

const DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** The configuration that the engine hands over in the environment. */
export function readConfig(env: Record<string, string>): AgentConfig {
  const token = env.PADDOCK_AGENT_TOKEN;
  if (!token) throw new Error("PADDOCK_AGENT_TOKEN is not set: without it nobody may connect");
  const account: Account = {
    name: env.PADDOCK_AGENT_USER ?? "sandbox",
    uid: wholeNumber(env, "PADDOCK_AGENT_UID", 1000),
    gid: wholeNumber(env, "PADDOCK_AGENT_GID", 1000),
    home: env.PADDOCK_AGENT_HOME ?? "/home/sandbox",
  };
  const limits = { ...defaultLimits, ...jsonObject<number>(env, "PADDOCK_AGENT_LIMITS") };
  const imageEnvironment = Object.fromEntries(
    Object.entries(env).filter(([key]) => !key.startsWith("PADDOCK_") && !PERSONAL.has(key)),
  );
  imageEnvironment.PATH ??= DEFAULT_PATH;
  imageEnvironment.LANG ??= "C.UTF-8";
  return {
    token,
    port: wholeNumber(env, "PADDOCK_AGENT_PORT", 4270),
    hostname: env.PADDOCK_AGENT_HOSTNAME ?? "0.0.0.0",
    sandboxId: env.PADDOCK_SANDBOX_ID ?? "",
    region: env.PADDOCK_REGION ?? "",
    machineId: env.PADDOCK_MACHINE_ID,
    memoryBytes: wholeNumber(env, "PADDOCK_MEMORY_BYTES", 0),
    // A guest's thread can cost the host two: one to trace and one to wait.
    maxTasks: wholeNumber(env, "PADDOCK_AGENT_TASKS", Math.floor(limits.pids / 2)),
    memorySource: env.PADDOCK_AGENT_MEMORY_SOURCE === "processes" ? "processes" : "meminfo",
    account,
    runDir: env.PADDOCK_AGENT_RUN_DIR ?? "/run/paddock",
    replScript: env.PADDOCK_AGENT_REPL ?? `${import.meta.dirname}/repl.js`,
    deno: Deno.execPath(),
    environment: {
      ...commandEnvironment(imageEnvironment, account),
      ...jsonObject<string>(env, "PADDOCK_GUEST_ENV"),
    },
    imageEnvironment,
    limits,
  };
}

/** What a command's variables are before anything a client sets. */
export function commandEnvironment(
  imageEnvironment: Record<string, string>,
  account: Account,
): Record<string, string> {
  return {
    ...imageEnvironment,
    HOME: account.home,
    USER: account.name,
    LOGNAME: account.name,
    SHELL: "/bin/bash",
  };
}

/** Variables that tell who somebody is, which a command's user decides. */
const PERSONAL = new Set(["HOME", "USER", "LOGNAME", "SHELL", "PWD", "OLDPWD", "SHLVL", "_"]);

function wholeNumber(env: Record<string, string>, name: string, fallback: number): number {
  const text = env[name];
  if (text === undefined || text === "") return fallback;
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new Error(`${name} must be a whole number, not "${text}"`);
  }
  return value;
}

function jsonObject<T>(env: Record<string, string>, name: string): Record<string, T> {
  const text = env[name];
  if (text === undefined || text === "") return {};
  const value = JSON.parse(text);
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new Error(`${name} must be a JSON object`);
  }
  return value;
}
