import { parseTimeout } from "@paddock/protocol";
import type { BaseClientOptions } from "./endpoint.ts";
import type { Checkpoint } from "./checkpoint.ts";
import { InvalidTimeoutError } from "./errors.ts";
import { type Memory, parseMemoryMb } from "./memory.ts";
import type { Snapshot } from "./snapshot.ts";
import type { Template } from "./template.ts";
import type { Volume } from "./volume.ts";

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
  /**
   * The sandbox is paused when nobody was connected to it for this long: no client, visitor or SSH. The
   * next request resumes it. What its programs do meanwhile does not count. Needs a `timeout`.
   */
  pauseAfterIdle?: Duration;
  /** Memory: bytes, or text such as `"1GiB"`. Default: the server's, 512 MiB. */
  memory?: Memory;
  /** Memory in MiB: the name that client 0.2 gives it. */
  memoryMb?: number;
  /** Labels to find the sandbox by. The server limits their number and length. */
  labels?: Record<string, string>;
  /** What it runs on, where the server's operator allows a choice. Default: the server's. */
  driver?: "firecracker" | "gvisor" | "qemu";
  /** Environment variables for everything that runs in the sandbox. */
  env?: Record<string, string>;
  /** Gives up on the creation when it aborts. Later it has no effect. */
  signal?: AbortSignal;
  /** Host names the sandbox may reach. */
  allowNet?: string[];
  /** Values the sandbox never sees; they are put into its requests to the given hosts. */
  secrets?: Record<string, SecretConfig>;
  /**
   * A checkpoint to go on from, by id, name or itself. The sandbox has its memory, driver and environment,
   * and the labels and the timeout that are given here.
   */
  checkpoint?: string | Checkpoint;
  /**
   * A template to be made from, by name, id or itself. The sandbox has its files, running programs and
   * variables, with those of `env` beside or in their place, and otherwise what is given here.
   */
  template?: string | Template;
  /**
   * A bootable volume or snapshot as root filesystem, by id, slug or itself. What is written to a volume
   * stays; what is written over a snapshot is gone with the sandbox.
   */
  root?: string | Volume | Snapshot;
  /** What to mount: path in the sandbox → a volume, or a snapshot, which cannot be written. */
  volumes?: Record<string, string | Volume | Snapshot>;
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

/** Options for `sandbox.fork`. What is left out is as with the original. */
export interface ForkOptions {
  /** A duration from now, or `"session"`: until this program closes the copy. */
  timeout?: Timeout;
  labels?: Record<string, string>;
  /** Gives up when it aborts; then there is no copy. */
  signal?: AbortSignal;
}

/** What the server is asked for: the JSON of `x-deno-sandbox-config`. */
export interface SandboxConfig {
  timeout?: string;
  pause_after_idle?: string;
  memory_mb?: number;
  labels?: Record<string, string>;
  region?: string;
  env?: Record<string, string>;
  driver?: string;
  allow_net?: string[];
  secrets?: Record<string, SecretConfig>;
  checkpoint?: string;
  template?: string;
  root?: { volume: string };
  volumes?: { volume: string; path: string }[];
}

export function toConfig(options: SandboxOptions): SandboxConfig {
  const config: SandboxConfig = {
    timeout: checkTimeout(options.timeout ?? options.lifetime),
    pause_after_idle: options.pauseAfterIdle,
    memory_mb: options.memory === undefined ? options.memoryMb : parseMemoryMb(options.memory),
    labels: options.labels,
    region: options.region,
    env: options.env,
    driver: options.driver,
    allow_net: options.allowNet,
    secrets: options.secrets,
    checkpoint: typeof options.checkpoint === "object" ? options.checkpoint.id : options.checkpoint,
    template: typeof options.template === "object" ? options.template.name : options.template,
    root: options.root === undefined ? undefined : { volume: referenceOf(options.root) },
    volumes: options.volumes &&
      Object.entries(options.volumes).map(([path, volume]) => ({
        volume: referenceOf(volume),
        path,
      })),
  };
  return Object.fromEntries(Object.entries(config).filter(([, value]) => value !== undefined));
}

function referenceOf(volume: string | Volume | Snapshot): string {
  return typeof volume === "string" ? volume : volume.id;
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
