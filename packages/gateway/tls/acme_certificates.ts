import { mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { AcmeTlsConfig } from "../gateway_config.ts";
import { openListener } from "../open_listener.ts";
import { type AcmeOrders, createAcmeOrders } from "./acme_order.ts";
import { type Certificate, covers, isExpired, readCertificate } from "./certificate.ts";
import type { CertificateLog, Certificates } from "./certificates.ts";
import { HttpChallenges } from "./http_challenges.ts";
import { openLocalCertificates } from "./local_certificates.ts";
import { writeWhole } from "./secret_files.ts";

const LOOK_EVERY_MS = 60 * 60_000;
const FIRST_RETRY_MS = 60_000;
const LAST_RETRY_MS = 12 * 60 * 60_000;
/** Orders that wait; visitors of names beyond them get the base certificate for now. */
const MAX_WAITING = 100;
/** How long a visitor of a name that was just given waits for its certificate. */
const VISITOR_WAIT_MS = 8_000;

export interface AcmeCertificatesOptions {
  acme: AcmeTlsConfig;
  directory: string;
  domain: string;
  isKnown: (label: string) => boolean;
  log: CertificateLog;
  signal: AbortSignal;
  lookEveryMs?: number;
  firstRetryMs?: number;
}

/**
 * Certificates by an ACME authority. With DNS-01 it is one for everything below the base domain; with
 * HTTP-01, which knows no wildcards, one for each name that was given, asked for when it is given
 * or first visited. Until one is there, and for strangers' names, the node's own authority helps out.
 */
export async function openAcmeCertificates(
  options: AcmeCertificatesOptions,
): Promise<Certificates> {
  const { acme, domain, isKnown, log } = options;
  const { lookEveryMs = LOOK_EVERY_MS, firstRetryMs = FIRST_RETRY_MS } = options;
  await using stack = new AsyncDisposableStack();
  const closing = new AbortController();
  const fallback = stack.use(await openLocalCertificates(options));
  const directory = join(options.directory, "acme");
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const challenges = acme.challenge.type === "http-01"
    ? await openChallenges(acme.challenge.listen)
    : undefined;
  stack.defer(() => challenges?.close());
  const base = acme.challenge.type === "dns-01" ? `*.${domain}` : domain;
  /** By the name that stands first: a host, or the wildcard. */
  const held = readKept(directory, log);
  const failures = new Map<string, { count: number; retryAt: number }>();
  const waiting = new Set<string>();
  /** Called once the order for a name has ended, one way or the other. */
  const visitors = new Map<string, PromiseWithResolvers<void>>();
  let orders: AcmeOrders | undefined;
  let busy = false;
  let working: Promise<void> = Promise.resolve();

  function want(name: string): void {
    if (closing.signal.aborted || waiting.has(name) || waiting.size >= MAX_WAITING) return;
    if ((failures.get(name)?.retryAt ?? 0) > Date.now()) return;
    waiting.add(name);
    if (!busy) working = work();
  }

  /** One order at a time: authorities count them. */
  async function work(): Promise<void> {
    busy = true;
    for (const name of waiting) {
      if (closing.signal.aborted) break;
      try {
        orders ??= await createAcmeOrders({
          ...{ acme, directory, challenges, log },
          signal: closing.signal,
        });
        const pair = await orders.order(name.startsWith("*.") ? [name, domain] : [name]);
        const certificate = readCertificate(pair);
        writeWhole(fileOf(directory, name), pair.key.trim() + "\n" + pair.cert, 0o600);
        held.set(name, certificate);
        failures.delete(name);
        log.info("got a certificate", { name, until: new Date(certificate.notAfter) });
      } catch (error) {
        if (closing.signal.aborted) break;
        const count = (failures.get(name)?.count ?? 0) + 1;
        const delay = Math.min(firstRetryMs * 2 ** (count - 1), LAST_RETRY_MS);
        failures.set(name, { count, retryAt: Date.now() + delay });
        log.error("got no certificate", { name, error: (error as Error).message, retryMs: delay });
        retrySoon(delay);
      } finally {
        waiting.delete(name);
        settle(name);
      }
    }
    waiting.clear();
    for (const name of visitors.keys()) settle(name);
    busy = false;
  }

  function settle(name: string): void {
    visitors.get(name)?.resolve();
    visitors.delete(name);
  }

  /** Until the order that is under way for a name has ended, at most for a while. */
  async function ordered(name: string): Promise<void> {
    let end = visitors.get(name);
    if (!end) visitors.set(name, end = Promise.withResolvers());
    const late = Promise.withResolvers<void>();
    const timer = setTimeout(late.resolve, VISITOR_WAIT_MS);
    await Promise.race([end.promise, late.promise]);
    clearTimeout(timer);
  }

  let retry: ReturnType<typeof setTimeout> | undefined;
  function retrySoon(delay: number): void {
    clearTimeout(retry);
    retry = setTimeout(look, delay + 1);
  }

  function look(): void {
    wantIfDue(base);
    for (const name of [...held.keys(), ...failures.keys()]) {
      if (name === base) continue;
      if (isOurs(name)) wantIfDue(name);
      else forget(name);
    }
  }

  function wantIfDue(name: string): void {
    const certificate = held.get(name);
    if (!certificate || isDue(certificate)) want(name);
  }

  function isOurs(name: string): boolean {
    const label = name.slice(0, -domain.length - 1);
    return acme.challenge.type === "http-01" && name === `${label}.${domain}` && isKnown(label);
  }

  function forget(name: string): void {
    held.delete(name);
    failures.delete(name);
    rmSync(fileOf(directory, name), { force: true });
  }

  function find(name: string): Certificate | undefined {
    for (const key of [name, base]) {
      const certificate = held.get(key);
      if (certificate && covers(certificate.names, name) && !isExpired(certificate)) {
        return certificate;
      }
    }
  }

  look();
  const timer = setInterval(look, lookEveryMs);
  const running = stack.move();
  return {
    ca: null,
    oneForAll: false,
    secureContextFor(servername) {
      const name = (servername ?? domain).toLowerCase();
      const found = find(name);
      if (found) return found.context;
      const other = () => held.get(base)?.context ?? fallback.secureContextFor(servername);
      if (!isOurs(name)) return other();
      want(name);
      if (!waiting.has(name)) return other();
      return ordered(name).then(() => find(name)?.context ?? other());
    },
    defaultPair: () => held.get(base) ?? fallback.defaultPair(),
    prepare(label) {
      if (acme.challenge.type === "http-01") wantIfDue(`${label}.${domain}`);
    },
    async [Symbol.asyncDispose]() {
      clearInterval(timer);
      clearTimeout(retry);
      closing.abort(new Error("the gateway closes"));
      await working;
      await running.disposeAsync();
    },
  };
}

async function openChallenges(
  listen: { host: string; port: number } = { host: "0.0.0.0", port: 80 },
): Promise<HttpChallenges> {
  return (await openListener(() => new HttpChallenges(), listen, listen.port)).listener;
}

/** A third of its life before its end, as authorities ask clients to. */
function isDue({ notBefore, notAfter }: Certificate, now = Date.now()): boolean {
  return notAfter - now < (notAfter - notBefore) / 3;
}

/** `_` stands for the asterisk: no host name has one. */
function fileOf(directory: string, name: string): string {
  return join(directory, `cert-${name.replace("*", "_")}.pem`);
}

function readKept(directory: string, log: CertificateLog): Map<string, Certificate> {
  const held = new Map<string, Certificate>();
  for (const file of readdirSync(directory)) {
    const name = /^cert-(.+)\.pem$/.exec(file)?.[1].replace("_", "*");
    if (name === undefined) continue;
    try {
      const text = readFileSync(join(directory, file), "utf8");
      const certificate = readCertificate({ cert: text, key: text });
      if (!isExpired(certificate)) held.set(name, certificate);
    } catch (error) {
      log.warn("a certificate is damaged and is asked for again", { file, error });
    }
  }
  return held;
}
