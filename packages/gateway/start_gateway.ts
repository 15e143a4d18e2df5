import { join } from "node:path";
import type { Log } from "@paddock/driver";
import type { Engine } from "@paddock/engine";
import type { LimitValues } from "@paddock/protocol";
import { labelBelow, parseBaseDomain, withPort } from "./domains.ts";
import type { ExposureDirectory } from "./exposures.ts";
import type { Gateway, PreviewAddresses, SshAddress } from "./gateway.ts";
import type { GatewayConfig } from "./gateway_config.ts";
import { createIngress } from "./http/create_ingress.ts";
import { LINK_PARAMETER, signLink } from "./http/signed_link.ts";
import { ensureLinkKey } from "./link_key.ts";
import { openListener } from "./open_listener.ts";
import { createSshGateway } from "./ssh/create_ssh_gateway.ts";
import { ensureHostKey } from "./ssh/host_key.ts";
import { openCertificates } from "./tls/open_certificates.ts";

/** Taken when they are free and nothing else is configured: bookmarks and known_hosts go on working. */
const INGRESS_PORT = 4443;
const SSH_PORT = 4222;

export interface GatewayOptions {
  config: GatewayConfig;
  engine: Engine;
  exposures: ExposureDirectory;
  dataDir: string;
  log: Log;
  limits: LimitValues;
  /** Gives up starting. To stop a gateway that runs, close it. */
  signal: AbortSignal;
}

/** Opens what strangers reach, as far as it is switched on. */
export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const { config, signal } = options;
  await using stack = new AsyncDisposableStack();
  const failed = Promise.withResolvers<never>();
  failed.promise.catch(() => {});
  const part = { ...options, directory: join(options.dataDir, "gateway"), stack, failed };
  const previews = config.ingress.enabled ? await startIngress(part) : null;
  signal.throwIfAborted();
  const ssh = config.ssh.enabled ? await startSsh(part) : null;
  signal.throwIfAborted();
  const running = stack.move();
  const close = () => running.disposeAsync();
  return {
    previews,
    ssh,
    ingress: previews?.ingress ?? null,
    ca: previews?.ca ?? null,
    failed: failed.promise,
    close,
    [Symbol.asyncDispose]: close,
  };
}

interface Part extends GatewayOptions {
  directory: string;
  /** Closes what is opened. */
  stack: AsyncDisposableStack;
  failed: PromiseWithResolvers<never>;
}

async function startIngress(
  part: Part,
): Promise<PreviewAddresses & { ingress: string; ca: string | null }> {
  const { config, engine, exposures, directory, limits, log, signal, stack, failed } = part;
  const base = parseBaseDomain(config.baseDomain);
  const certificates = stack.use(
    await openCertificates({
      tls: config.ingress.tls,
      directory,
      domain: base.host,
      isKnown: (label) => exposures.find(label) !== undefined,
      log,
      signal,
    }),
  );
  const linkKey = ensureLinkKey(join(directory, "link_key"));
  let publicPort = base.port;
  const domainOf = (label: string) => withPort(`${label}.${base.host}`, publicPort!, 443);
  const make = () =>
    createIngress({
      engine,
      exposures,
      secureContextFor: certificates.oneForAll ? undefined : certificates.secureContextFor,
      defaultPair: () => certificates.defaultPair(),
      limits,
      log,
      baseDomain: base.host,
      linkKey,
    });
  const { listener, host, port } = await openListener(make, config.ingress.listen, INGRESS_PORT);
  stack.defer(() => listener.close());
  listener.failed.catch(failed.reject);
  publicPort ??= port;
  log.info("serving preview URLs", { domain: `*.${base.host}`, host, port, ca: certificates.ca });
  return {
    ingress: `https://${withPort(base.host, publicPort, 443)}`,
    ca: certificates.ca,
    domainOf,
    prepare: (label) => certificates.prepare?.(label),
    labelOf: (domain) => labelBelow(base.host, domain),
    signLink: (exposure, expiresAt) =>
      `https://${domainOf(exposure.name)}/?${LINK_PARAMETER}=${
        signLink(exposure, expiresAt, linkKey)
      }`,
  };
}

async function startSsh(part: Part): Promise<SshAddress> {
  const { config, engine, exposures, dataDir, limits, log, stack, failed } = part;
  const hostKey = ensureHostKey(dataDir);
  const make = () => createSshGateway({ engine, exposures, hostKey, limits, log });
  const { listener, host, port } = await openListener(make, config.ssh.listen, SSH_PORT);
  stack.defer(() => listener.close());
  listener.failed.catch(failed.reject);
  log.info("serving SSH", { host, port, fingerprint: hostKey.fingerprint });
  // What the base domain leads to is where SSH is as well.
  const { host: name } = parseBaseDomain(config.baseDomain);
  return { host, port, hostname: withPort(name, port, 22), hostKey: hostKey.publicKey };
}
