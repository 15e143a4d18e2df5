import { Agent } from "node:https";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import acme from "acme-client";
import type { AcmeTlsConfig } from "../gateway_config.ts";
import type { KeyPair } from "./certificate.ts";
import type { CertificateLog } from "./certificates.ts";
import { callDnsHook, type DnsRecord } from "./dns_hook.ts";
import type { HttpChallenges } from "./http_challenges.ts";
import { writeWhole } from "./secret_files.ts";

/** How long one order may take, the operator's hook included. */
const ORDER_MS = 10 * 60_000;
const REQUEST_MS = 30_000;

export interface AcmeOrdersOptions {
  acme: AcmeTlsConfig;
  directory: string;
  /** Of HTTP-01; undefined: the hook of DNS-01 does it. */
  challenges: HttpChallenges | undefined;
  log: CertificateLog;
  signal: AbortSignal;
}

/** Asks an ACME authority for certificates. */
export interface AcmeOrders {
  order(names: readonly string[]): Promise<KeyPair>;
}

export async function createAcmeOrders(options: AcmeOrdersOptions): Promise<AcmeOrders> {
  const { acme: config, directory, challenges, log, signal } = options;
  acme.axios.defaults.timeout = REQUEST_MS;
  if (config.trust !== undefined) {
    // Without a pool: an order has few requests, and none may outlive the gateway.
    acme.axios.defaults.httpsAgent = new Agent({ ca: readFileSync(config.trust, "utf8") });
  }
  const accountKey = await ensureAccountKey(join(directory, "account-key.pem"));
  let client: acme.Client | undefined;

  // Hooks edit a zone: two at a time might undo each other's work.
  let turn: Promise<void> = Promise.resolve();
  function hook(action: "set" | "clear", record: DnsRecord): Promise<void> {
    const { challenge } = config;
    if (challenge.type !== "dns-01") throw new TypeError(`there is no hook for ${challenge.type}`);
    const mine = turn.then(() => callDnsHook(challenge, action, record, signal));
    turn = mine.catch(() => {});
    return mine;
  }

  async function order(names: readonly string[]): Promise<KeyPair> {
    client ??= new acme.Client({
      directoryUrl: config.directoryUrl,
      accountKey,
      backoffMin: 1_000,
      backoffMax: 10_000,
    });
    const secret = await acme.crypto.createPrivateEcdsaKey("P-256");
    // Alternative names alone: a common name has at most 64 characters.
    const [key, csr] = await acme.crypto.createCsr({ altNames: [...names] }, secret);
    const records: DnsRecord[] = [];
    try {
      const cert = await client.auto({
        csr,
        email: config.email,
        termsOfServiceAgreed: config.acceptTerms,
        // The authority looks itself; from inside, names may lead elsewhere.
        skipChallengeVerification: true,
        challengePriority: [config.challenge.type],
        async challengeCreateFn({ identifier }, { token }, answer) {
          if (challenges) return challenges.add(token, answer);
          const record = { name: `_acme-challenge.${identifier.value}`, value: answer };
          records.push(record);
          await hook("set", record);
        },
        challengeRemoveFn(_authorization, { token }) {
          challenges?.remove(token);
          return Promise.resolve();
        },
      });
      return { cert, key: key.toString() };
    } finally {
      // Once all are looked at: a wildcard's record has the name of its domain's, and a hook that
      // clears by name would take both.
      for (const record of records) {
        await hook("clear", record).catch((error) => {
          log.warn("a record of an ACME order is left behind", { ...record, error: String(error) });
        });
      }
    }
  }

  return { order: (names) => withDeadline(order(names), signal) };
}

async function ensureAccountKey(path: string): Promise<string> {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if ((error as { code?: string }).code !== "ENOENT") throw error;
  }
  const key = (await acme.crypto.createPrivateEcdsaKey("P-256")).toString();
  writeWhole(path, key, 0o600);
  return key;
}

/** The library cannot be stopped: what it still does then is not waited for. */
async function withDeadline<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => late.reject(new Error(`the order was not done within ${ORDER_MS / 60_000} minutes`)),
    ORDER_MS,
  );
  const onAbort = () => late.reject(signal.reason);
  signal.addEventListener("abort", onAbort);
  try {
    signal.throwIfAborted();
    return await Promise.race([work, late.promise]);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", onAbort);
  }
}
