import { spawn } from "node:child_process";
import type { DnsChallengeConfig } from "../gateway_config.ts";

const KEPT_OUTPUT = 2_000;

export interface DnsRecord {
  /** `_acme-challenge.` and the domain. */
  name: string;
  /** Of a TXT record beside others of the same name. */
  value: string;
}

/**
 * Calls the operator's command with `set` or `clear`, the record's name and its value. It ends once
 * the record is visible to the world, with a status other than 0 when that failed.
 */
export async function callDnsHook(
  { hook, hookTimeoutMs }: DnsChallengeConfig,
  action: "set" | "clear",
  { name, value }: DnsRecord,
  signal: AbortSignal,
): Promise<void> {
  signal.throwIfAborted();
  const [command, ...args] = hook;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  // A group of its own, so that what the command started ends with it.
  const child = spawn(command, [...args, action, name, value], {
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8");
    stream.on("data", (text: string) => output = (output + text).slice(-KEPT_OUTPUT));
  }
  const fail = (what: string) => {
    const said = output.trim();
    reject(new Error(`the DNS hook ${command} ${action} ${what}${said ? `: ${said}` : ""}`));
  };
  const stop = (what: string) => {
    fail(what);
    try {
      if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
    } catch {
      // It ended by itself just now.
    }
  };
  const timer = setTimeout(() => stop(`took longer than ${hookTimeoutMs} ms`), hookTimeoutMs);
  const onAbort = () => stop("was stopped with the gateway");
  signal.addEventListener("abort", onAbort);
  child.on("error", (error) => fail(`could not be started: ${error.message}`));
  child.on("close", (code, killedBy) => {
    if (code === 0) resolve();
    else fail(`ended with ${killedBy ?? `status ${code}`}`);
  });
  try {
    await promise;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", onAbort);
  }
}
