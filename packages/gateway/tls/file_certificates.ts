import { readFileSync, statSync } from "node:fs";
import { PaddockError } from "@paddock/protocol";
import { type Certificate, covers, isExpired, readCertificate } from "./certificate.ts";
import type { CertificateLog, Certificates } from "./certificates.ts";

const LOOK_EVERY_MS = 10_000;
const WARN_BEFORE_MS = 14 * 24 * 60 * 60_000;
const SAY_AGAIN_MS = 24 * 60 * 60_000;

export interface FileCertificatesOptions {
  cert: string;
  key: string;
  /** The base domain, without a port. */
  domain: string;
  log: CertificateLog;
  now?: () => number;
  lookEveryMs?: number;
}

/** What an operator should know about a certificate, worst first. */
export function certificateProblems(
  certificate: Pick<Certificate, "names" | "notBefore" | "notAfter">,
  domain: string,
  now = Date.now(),
): string[] {
  const { names, notBefore, notAfter } = certificate;
  const until = new Date(notAfter).toISOString();
  const problems: string[] = [];
  if (isExpired({ notAfter }, now)) problems.push(`it expired at ${until}`);
  if (notBefore > now) problems.push(`it is not valid before ${new Date(notBefore).toISOString()}`);
  if (!covers(names, `*.${domain}`)) {
    problems.push(`it is not for *.${domain}, but for ${names.join(", ") || "no name"}`);
  }
  if (!isExpired({ notAfter }, now) && notAfter - now < WARN_BEFORE_MS) {
    problems.push(`it expires at ${until}`);
  }
  return problems;
}

export function readCertificateFiles(paths: { cert: string; key: string }): Certificate {
  try {
    return readCertificate({
      cert: readFileSync(paths.cert, "utf8"),
      key: readFileSync(paths.key, "utf8"),
    });
  } catch (cause) {
    throw new PaddockError("INVALID_SERVER_CONFIG", {
      message: `ingress.tls: ${paths.cert} with ${paths.key}: ${(cause as Error).message}`,
      field: "ingress.tls",
      cause,
    });
  }
}

/** Certificates that somebody else puts there, and renews. */
export function openFileCertificates(options: FileCertificatesOptions): Certificates {
  const { cert, key, domain, log, now = Date.now, lookEveryMs = LOOK_EVERY_MS } = options;
  let seen = stampOf(cert, key);
  let current = readCertificateFiles({ cert, key });
  let saidAt = -Infinity;

  function warn(): void {
    const problems = certificateProblems(current, domain, now());
    if (problems.length === 0 || now() - saidAt < SAY_AGAIN_MS) return;
    saidAt = now();
    log.warn("the certificate of preview URLs needs attention", { cert, problems });
  }

  warn();
  const timer = setInterval(() => {
    const stamp = stampOf(cert, key);
    if (stamp !== seen) {
      seen = stamp;
      try {
        current = readCertificateFiles({ cert, key });
        saidAt = -Infinity;
        log.info("loaded the preview URLs' certificate again", { cert, names: current.names });
      } catch (error) {
        // Half-way through a replacement, key and certificate do not match: the next look will see.
        log.warn("the preview URLs' certificate cannot be loaded again; the old one goes on", {
          error,
        });
      }
    }
    warn();
  }, lookEveryMs);

  return {
    ca: null,
    oneForAll: true,
    secureContextFor: () => current.context,
    defaultPair: () => ({ cert: current.cert, key: current.key }),
    [Symbol.asyncDispose]() {
      clearInterval(timer);
      return Promise.resolve();
    },
  };
}

/** Changes when one of the files does: what a rename puts there has another inode. */
function stampOf(...paths: string[]): string {
  return paths.map((path) => {
    try {
      const { ino, mtimeMs, size } = statSync(path);
      return `${ino}-${mtimeMs}-${size}`;
    } catch {
      return "missing";
    }
  }).join(" ");
}
