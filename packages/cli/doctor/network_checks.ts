import { type Check, missing, ok, warning } from "./check.ts";
import { forwardPolicy } from "./forward_policy.ts";
import { runProgram } from "./run_program.ts";

export async function networkChecks(signal: AbortSignal): Promise<Check[]> {
  return await Promise.all([
    ipTool(signal),
    nft(signal),
    ipForward(),
    forwardPolicy(signal),
    nameServers(signal),
  ]);
}

async function ipTool(signal: AbortSignal): Promise<Check> {
  const { found, output } = await runProgram("ip", ["-V"], signal);
  if (found) return ok("ip", output.trim().split(", ")[1] ?? output.trim());
  return missing("ip", "not installed", "apt-get install -y iproute2");
}

async function nft(signal: AbortSignal): Promise<Check> {
  const version = await runProgram("nft", ["--version"], signal);
  if (!version.found) return missing("nft", "not installed", "apt-get install -y nftables");
  const list = await runProgram("nft", ["list", "tables"], signal);
  if (list.success) return ok("nft", version.output.trim().split(/\s+/)[1] ?? "works");
  return missing(
    "nft",
    `installed, but does not work: ${list.output.trim().split("\n")[0]}`,
    Deno.uid() === 0 ? "modprobe nf_tables" : "sudo npx paddock doctor",
  );
}

async function ipForward(): Promise<Check> {
  const text = await Deno.readTextFile("/proc/sys/net/ipv4/ip_forward").catch(() => "");
  if (text.trim() === "1") return ok("ip_forward", "on");
  // The daemon turns it on itself; only a host that forbids it needs a hand.
  return Deno.uid() === 0
    ? ok("ip_forward", "off; serve turns it on")
    : warning("ip_forward", "off", "sysctl -w net.ipv4.ip_forward=1");
}

async function nameServers(signal: AbortSignal): Promise<Check> {
  const text = await Deno.readTextFile("/etc/resolv.conf").catch(() => "");
  const servers = [...text.matchAll(/^\s*nameserver\s+(\S+)/gm)].map((match) => match[1]);
  if (servers.length === 0) {
    return warning("dns", "no nameserver in /etc/resolv.conf", "add a `nameserver ADDRESS` line");
  }
  const name = registryName();
  if (name === undefined) return ok("dns", `nameserver ${servers.join(", ")}`);
  const { success } = await runProgram("getent", ["hosts", name], signal);
  if (success) return ok("dns", `nameserver ${servers.join(", ")}; the npm registry resolves`);
  return warning(
    "dns",
    `nameserver ${servers.join(", ")}; the npm registry's name does not resolve`,
    "sandboxes will have no internet: check /etc/resolv.conf",
  );
}

/** npm hands its configuration to what it runs; without npm there is no name worth asking for. */
function registryName(): string | undefined {
  const registry = Deno.env.get("npm_config_registry") ?? Deno.env.get("NPM_CONFIG_REGISTRY");
  return registry && URL.canParse(registry) ? new URL(registry).hostname : undefined;
}
