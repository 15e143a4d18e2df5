import { lookup } from "node:dns/promises";
import { join } from "node:path";
import { examineCertificates, type GatewayConfig, parseBaseDomain } from "@paddock/gateway";
import { type Check, missing, ok, warning } from "./check.ts";

const LOOKUP_MS = 5_000;

/** Whether preview URLs will work for those who open them. */
export async function gatewayChecks(
  config: GatewayConfig & { dataDir: string },
): Promise<Check[]> {
  if (!config.ingress.enabled) return [ok("previews", "switched off")];
  const { host } = parseBaseDomain(config.baseDomain);
  return [
    await names(host),
    await port("ingress", config.ingress.listen, 4443),
    ...config.ssh.enabled ? [await port("ssh", config.ssh.listen, 4222)] : [],
    certificates(config, host),
  ];
}

/** A name that nobody has: only a wildcard, or the host's own knowledge of `.localhost`, answers. */
export async function names(host: string): Promise<Check> {
  const name = `paddock-doctor.${host}`;
  const addresses = await addressesOf(name);
  const local = host === "localhost" || host.endsWith(".localhost");
  if (addresses.length > 0) {
    const list = addresses.join(", ");
    if (!local || addresses.every((address) => address === "127.0.0.1" || address === "::1")) {
      return ok("names", `*.${host} resolves to ${list}`);
    }
    return warning("names", `*.${host} resolves to ${list}, which is not this host itself`);
  }
  const so = `*.${host} does not resolve`;
  return local
    ? warning(
      "names",
      `${so}: a program's fetch of a preview URL fails on this host (curl and browsers manage)`,
      "apt-get install -y libnss-myhostname",
    )
    : warning(
      "names",
      `${so}: visitors find no preview URL`,
      `add a DNS record for *.${host} that leads to this host`,
    );
}

async function addressesOf(name: string): Promise<string[]> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error("no answer")), LOOKUP_MS);
  try {
    const found = await Promise.race([lookup(name, { all: true }), late.promise]);
    return [...new Set(found.map(({ address }) => address))];
  } catch {
    return [];
  } finally {
    clearTimeout(timer);
  }
}

async function port(
  name: string,
  listen: { host: string; port: number } | undefined,
  preferred: number,
): Promise<Check> {
  if (listen?.port === 0) return ok(name, "any free port");
  const { host, port } = listen ?? { host: "localhost", port: preferred };
  const hosts = host === "localhost" ? ["127.0.0.1", "::1"] : [host];
  const taken = hosts.some((hostname) => isTaken(hostname, port));
  if (!taken) return ok(name, `${host}:${port} is free`);
  if (listen === undefined) {
    return ok(name, `port ${port} is in use (perhaps by a Paddock that runs); serve takes another`);
  }
  const flag = `--${name}-listen`;
  return warning(name, `${host}:${port} is in use`, `stop what uses it, or choose ${flag}`);
}

function isTaken(hostname: string, port: number): boolean {
  try {
    Deno.listen({ hostname, port }).close();
    return false;
  } catch (error) {
    return error instanceof Deno.errors.AddrInUse;
  }
}

function certificates(config: GatewayConfig & { dataDir: string }, host: string): Check {
  const directory = join(config.dataDir, "gateway");
  const { status, detail } = examineCertificates(config.ingress.tls, directory, host);
  if (status === "ok") return ok("certificate", detail);
  if (status === "attention") return warning("certificate", detail);
  return missing("certificate", detail, "docs/preview_urls.md says where certificates come from");
}
