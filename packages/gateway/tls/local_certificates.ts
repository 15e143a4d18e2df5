import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Certificate, covers, readCertificate } from "./certificate.ts";
import type { CertificateLog, Certificates } from "./certificates.ts";
import { openLocalAuthority } from "./local_authority.ts";
import { writeWhole } from "./secret_files.ts";

const DAY_MS = 24 * 60 * 60_000;
const LIFE_MS = 90 * DAY_MS;
/** Renewed when less than this is left, so that a month of downtime loses nothing. */
const RENEW_BEFORE_MS = 30 * DAY_MS;
const LOOK_EVERY_MS = 12 * 60 * 60_000;

export interface LocalCertificatesOptions {
  directory: string;
  /** The base domain, without a port. */
  domain: string;
  log: CertificateLog;
  now?: () => number;
  lookEveryMs?: number;
}

/** Certificates by the node's own authority: one for the base domain and everything below it. */
export async function openLocalCertificates(
  options: LocalCertificatesOptions,
): Promise<Certificates> {
  const { directory, domain, log, now = Date.now, lookEveryMs = LOOK_EVERY_MS } = options;
  const authority = await openLocalAuthority(directory, now());
  if (authority.made) log.info("made a certificate authority", { ca: authority.path });
  // Key and certificate are one file, so that they cannot be of different ages.
  const path = join(directory, "certificate.pem");
  const names = [domain, `*.${domain}`];

  function kept(): Certificate | undefined {
    try {
      const text = readFileSync(path, "utf8");
      const certificate = readCertificate({ cert: text, key: text });
      const signed = new X509Certificate(certificate.cert).verify(
        new X509Certificate(authority.cert).publicKey,
      );
      const fits = names.every((name) => covers(certificate.names, name));
      if (signed && fits && certificate.notAfter - now() > RENEW_BEFORE_MS) return certificate;
      log.info("the preview URLs' certificate is replaced", { signed, fits });
    } catch (error) {
      if ((error as { code?: string }).code !== "ENOENT") {
        log.warn("the preview URLs' certificate is damaged and is replaced", { path, error });
      }
    }
  }

  async function issue(): Promise<Certificate> {
    const { issueCertificate } = await import("./issue_certificate.ts");
    const pair = await issueCertificate(authority, names, new Date(now() + LIFE_MS));
    writeWhole(path, pair.key + pair.cert, 0o600);
    return readCertificate(pair);
  }

  let current = kept() ?? await issue();
  let looking: Promise<void> = Promise.resolve();
  const timer = setInterval(() => {
    if (current.notAfter - now() > RENEW_BEFORE_MS) return;
    looking = issue().then((renewed) => {
      current = renewed;
      log.info("renewed the preview URLs' certificate", { until: new Date(current.notAfter) });
    }, (error) => {
      // The old one is good for weeks yet, and the next look tries again.
      log.error("cannot renew the preview URLs' certificate", { error });
    });
  }, lookEveryMs);

  return {
    ca: authority.path,
    oneForAll: true,
    secureContextFor: () => current.context,
    defaultPair: () => ({ cert: current.cert, key: current.key }),
    async [Symbol.asyncDispose]() {
      clearInterval(timer);
      await looking;
    },
  };
}
