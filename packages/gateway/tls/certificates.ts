import type { SecureContext } from "node:tls";
import type { KeyPair } from "./certificate.ts";

/** Where the ingress gets its certificates: made here, from files, or by ACME. */
export interface Certificates extends AsyncDisposable {
  /**
   * For the name in a TLS hello. Answers for names that nobody knows too: a visitor must be able to
   * read that there is no such page. Waits only where a certificate is being got for this name.
   */
  secureContextFor(servername: string | undefined): SecureContext | Promise<SecureContext>;
  /** Told of a label that was just given, so that its certificate may be there for the first visit. */
  prepare?(label: string): void;
  /** All names have the default pair. */
  readonly oneForAll: boolean;
  /** For clients that name nobody. */
  defaultPair(): KeyPair;
  /** The PEM file of an authority that visitors must be told to trust; null when they trust it. */
  readonly ca: string | null;
}

export interface CertificateLog {
  info(message: string, fields?: Record<string, unknown>): void;
  warn(message: string, fields?: Record<string, unknown>): void;
  error(message: string, fields?: Record<string, unknown>): void;
}
