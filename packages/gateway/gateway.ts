import type { Exposure } from "./exposures.ts";

/** What owners are told: where names are reached from outside. */
export interface GatewayAddresses {
  /** null: preview URLs are switched off. */
  readonly previews: PreviewAddresses | null;
  /** null: SSH is switched off. */
  readonly ssh: SshAddress | null;
}

export interface PreviewAddresses {
  /** The whole domain of a label, with the port unless it is 443. */
  domainOf(label: string): string;
  /** Told of a label that was just given, before anybody visits it. */
  prepare(label: string): void;
  /** The label of a domain that `domainOf` made, with or without its port. */
  labelOf(domain: string): string | undefined;
  /** An address that opens a protected exposure until `expiresAt`, epoch milliseconds. */
  signLink(exposure: Exposure, expiresAt: number): string;
}

export interface SshAddress {
  /** Where it listens. */
  host: string;
  port: number;
  /** As a client is told it: with the port unless it is 22. */
  hostname: string;
  /** `ssh-ed25519 AAAA…`. */
  hostKey: string;
}

/** What strangers reach: preview URLs and SSH. */
export interface Gateway extends GatewayAddresses, AsyncDisposable {
  /** Where preview URLs are served: `https://` and the base domain; null when they are switched off. */
  readonly ingress: string | null;
  /** PEM file of the authority that visitors must be told to trust; null when there is none. */
  readonly ca: string | null;
  /** Rejects when it can serve no longer. */
  readonly failed: Promise<never>;
  /** Idempotent. */
  close(): Promise<void>;
}
