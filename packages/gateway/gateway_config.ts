import type { ListenAddress } from "./open_listener.ts";

/** The settings of a node that are the gateway's. */
export interface GatewayConfig {
  /** Preview URLs are names below it. A port stands behind it where the public one is not our own. */
  baseDomain: string;
  ingress: { enabled: boolean; listen?: ListenAddress; tls: TlsConfig };
  ssh: { enabled: boolean; listen?: ListenAddress };
}

export type TlsConfig = { mode: "local" } | FilesTlsConfig | AcmeTlsConfig;

export interface FilesTlsConfig {
  mode: "files";
  cert: string;
  key: string;
}

export interface AcmeTlsConfig {
  mode: "acme";
  directoryUrl: string;
  email?: string;
  acceptTerms: true;
  trust?: string;
  challenge: HttpChallengeConfig | DnsChallengeConfig;
}

export interface HttpChallengeConfig {
  type: "http-01";
  /** Port 80 as the authority sees it. */
  listen?: ListenAddress;
}

export interface DnsChallengeConfig {
  type: "dns-01";
  hook: string[];
  hookTimeoutMs: number;
}
