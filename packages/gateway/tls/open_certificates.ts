import type { TlsConfig } from "../gateway_config.ts";
import type { CertificateLog, Certificates } from "./certificates.ts";
import { openFileCertificates } from "./file_certificates.ts";
import { openLocalCertificates } from "./local_certificates.ts";

export interface OpenCertificatesOptions {
  tls: TlsConfig;
  /** Where keys and certificates are kept. */
  directory: string;
  /** The base domain, without a port. */
  domain: string;
  /** Whether a label below the base domain was ever given: no certificate is asked for others. */
  isKnown: (label: string) => boolean;
  log: CertificateLog;
  signal: AbortSignal;
}

export async function openCertificates(options: OpenCertificatesOptions): Promise<Certificates> {
  const { tls, directory, domain, log } = options;
  if (tls.mode === "local") return await openLocalCertificates({ directory, domain, log });
  if (tls.mode === "files") return openFileCertificates({ ...tls, domain, log });
  const { openAcmeCertificates } = await import("./acme_certificates.ts");
  return await openAcmeCertificates({ ...options, acme: tls });
}
