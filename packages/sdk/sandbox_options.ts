import { parseTimeout } from "@paddock/protocol";
import type { BaseClientOptions } from "./endpoint.ts";
import { InvalidTimeoutError } from "./errors.ts";
import { type Memory, parseMemoryMb } from "./memory.ts";

/** How long a sandbox lives: `"session"`, or a duration such as `"30s"`, `"5m"`, `"1h"`. */
export type Timeout = "session" | Duration;
export type Duration = `${number}s` | `${number}m` | `${number}h`;

/** Where a secret may go, and what it is. */
export interface SecretConfig {
  /** Host names whose requests get the value. */
  hosts: string[];
  value: string;
}

/** Options for `Sandbox.create`. */
export interface SandboxOptions extends BaseClientOptions {
  /** Region code or alias, for example `"ams"`. Default: the server's first. */
  region?: string;
  /**
   * `"session"` (default): the sandbox ends when this program closes it or is gone. A duration: it lives
   * that long from now, connected or not, and the connection is made again when it breaks.
   */
  timeout?: Timeout;
  /** Same as `timeout`: the name that client 0.2 gives it. */
  lifetime?: Timeout;
  /** Memory: bytes, or text such as `"1GiB"`. Default: the server's, 512 MiB. */
  memory?: Memory;
  /** Memory in MiB: the name that client 0.2 gives it. */
  memoryMb?: number;
  /** Labels to find the sandbox by. The server limits their number and length. */
  labels?: Record<string, string>;
  /** Environment variables for everything that runs in the sandbox. */
  env?: Record<string, string>;
  /** Gives up on the creation when it aborts. Later it has no effect. */
  signal?: AbortSignal;
  /** Host names the sandbox may reach. */
  allowNet?: string[];
  /** Values the sandbox never sees; they are put into its requests to the given hosts. */
  secrets?: Record<string, SecretConfig>;
  /** Volume or snapshot to use as root filesystem. */
  root?: string;
  /** Volumes to mount: path in the sandbox → volume. */
  volumes?: Record<string, string>;
  /** Make the sandbox reachable by SSH; `sandbox.ssh` says how. */
  ssh?: boolean;
  /** Make this port reachable by HTTP; `sandbox.url` says where. */
  port?: number;
}

/** Options for `Sandbox.connect`. */
export interface ConnectOptions extends BaseClientOptions {
  /** Gives up on connecting when it aborts. Later it has no effect. */
  signal?: AbortSignal;
}

/** What the server is asked for: the JSON of `x-deno-sandbox-config`. */
export interface SandboxConfig {
  timeout?: string;
  memory_mb?: number;
  labels?: Record<string, string>;
  region?: string;
  env?: Record<string, string>;
  allow_net?: string[];
  secrets?: Record<string, SecretConfig>;
  root?: { volume: string };
  volumes?: { volume: string; path: string }[];
}

export function toConfig(options: SandboxOptions): SandboxConfig {
  const config: SandboxConfig = {
    timeout: checkTimeout(options.timeout ?? options.lifetime),
    memory_mb: options.memory === undefined ? options.memoryMb : parseMemoryMb(options.memory),
    labels: options.labels,
    region: options.region,
    env: options.env,
    allow_net: options.allowNet,
    secrets: options.secrets,
    root: options.root === undefined ? undefined : { volume: options.root },
    volumes: options.volumes &&
      Object.entries(options.volumes).map(([path, volume]) => ({ volume, path })),
  };
  return Object.fromEntries(Object.entries(config).filter(([, value]) => value !== undefined));
}

/** A duration is sent as it is: the server's clock says when it is over. */
export function checkTimeout(timeout: string | undefined): string | undefined {
  return durationMs(timeout) === undefined ? undefined : timeout;
}

/** Milliseconds of a duration; undefined for `"session"`. */
export function durationMs(timeout: string | undefined): number | undefined {
  try {
    const duration = parseTimeout(timeout);
    return duration === "session" ? undefined : duration;
  } catch (error) {
    throw new InvalidTimeoutError((error as Error).message);
  }
}
