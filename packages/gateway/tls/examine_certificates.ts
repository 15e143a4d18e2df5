import { createPrivateKey, X509Certificate } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { TlsConfig } from "../gateway_config.ts";
import { readCertificate } from "./certificate.ts";
import { certificateProblems, readCertificateFiles } from "./file_certificates.ts";

/** What there is to say about certificates without making or asking for any. */
export interface CertificateReport {
  /** `broken`: a start fails, or visitors are turned away. */
  status: "ok" | "attention" | "broken";
  detail: string;
}

const WARN_BEFORE_MS = 90 * 24 * 60 * 60_000;

/** Looks at what a gateway with these settings would show its visitors; `domain` without a port. */
export function examineCertificates(
  tls: TlsConfig,
  directory: string,
  domain: string,
  now = Date.now(),
): CertificateReport {
  if (tls.mode === "local") return examineAuthority(directory, now);
  if (tls.mode === "acme") return examineAcme(join(directory, "acme"), domain, now);
  try {
    const certificate = readCertificateFiles(tls);
    const problems = certificateProblems(certificate, domain, now);
    const until = day(certificate.notAfter);
    if (problems.length === 0) return { status: "ok", detail: `${tls.cert}, until ${until}` };
    const status = certificate.notAfter <= now ? "broken" : "attention";
    return { status, detail: `${tls.cert}: ${problems.join("; ")}` };
  } catch (error) {
    return { status: "broken", detail: (error as Error).message };
  }
}

function examineAuthority(directory: string, now: number): CertificateReport {
  const path = join(directory, "ca.pem");
  if (!existsSync(path)) {
    return { status: "ok", detail: "an authority of its own is made at the first start" };
  }
  try {
    const certificate = new X509Certificate(readFileSync(path));
    const key = createPrivateKey(readFileSync(join(directory, "ca-key.pem"), "utf8"));
    if (!certificate.checkPrivateKey(key)) throw new Error("its key is another certificate's");
    const notAfter = Date.parse(certificate.validTo);
    if (notAfter <= now) throw new Error(`it expired on ${day(notAfter)}`);
    const status = notAfter - now < WARN_BEFORE_MS ? "attention" : "ok";
    return { status, detail: `authority ${path}, until ${day(notAfter)}` };
  } catch (error) {
    return { status: "broken", detail: `${path}: ${(error as Error).message}` };
  }
}

function examineAcme(directory: string, domain: string, now: number): CertificateReport {
  const files = existsSync(directory)
    ? readdirSync(directory).filter((name) => name.startsWith("cert-"))
    : [];
  if (files.length === 0) {
    return { status: "attention", detail: `no certificate for ${domain} was got by ACME yet` };
  }
  const notes: string[] = [];
  let soonest = Infinity;
  for (const file of files) {
    try {
      const text = readFileSync(join(directory, file), "utf8");
      const { names, notAfter } = readCertificate({ cert: text, key: text });
      soonest = Math.min(soonest, notAfter);
      if (notAfter <= now) notes.push(`${names.join(", ")} expired on ${day(notAfter)}`);
    } catch (error) {
      notes.push(`${file}: ${(error as Error).message}`);
    }
  }
  if (notes.length > 0) return { status: "attention", detail: `by ACME: ${notes.join("; ")}` };
  return { status: "ok", detail: `${files.length} by ACME, the first until ${day(soonest)}` };
}

function day(time: number): string {
  return new Date(time).toISOString().slice(0, 10);
}
