import { readEnv } from "./_environment.ts";
import { MissingTokenError, SandboxSdkError } from "./errors.ts";
import { findLocalDaemon } from "./local_daemon.ts";
import type { Target } from "./rest.ts";

/** Which server to talk to, and as whom. Options win over the environment. */
export interface BaseClientOptions {
  /**
   * URL of the Paddock server. Else `PADDOCK_ENDPOINT`, `DENO_SANDBOX_ENDPOINT` or
   * `DENO_DEPLOY_ENDPOINT`; with none of them the local daemon is joined, or started.
   */
  endpoint?: string | ((region: string) => string);
  /** Same as `endpoint`: the name `@deno/sandbox` gives it. */
  sandboxEndpoint?: string | ((region: string) => string);
  /** Same as `endpoint`, looked at last. */
  apiEndpoint?: string;
  /** Access token, `ddo_…`. Else `PADDOCK_TOKEN` or `DENO_DEPLOY_TOKEN`. */
  token?: string;
  /** Organisation the token must belong to. Else `PADDOCK_ORG` or `DENO_DEPLOY_ORG`. */
  org?: string;
  /** Print to stderr what happens with connections. Default: `false`. */
  debug?: boolean;
}

export interface ResolvedTarget extends Target {
  /** The server is this host's own daemon: it may be started, and found again, by this library. */
  local: boolean;
}

export async function resolveTarget(
  options: BaseClientOptions,
  region: string | undefined,
  signal?: AbortSignal,
): Promise<ResolvedTarget> {
  const given = options.endpoint ?? options.sandboxEndpoint ?? options.apiEndpoint;
  const endpoint = (typeof given === "function" ? given(region ?? "") : given) ??
    readEnv("PADDOCK_ENDPOINT") ?? readEnv("DENO_SANDBOX_ENDPOINT") ??
    readEnv("DENO_DEPLOY_ENDPOINT");
  const org = options.org ?? readEnv("PADDOCK_ORG") ?? readEnv("DENO_DEPLOY_ORG");
  if (endpoint === undefined) {
    const daemon = await findLocalDaemon({ debug: options.debug ?? false, signal });
    // A token in the environment is for another server; one that was passed is meant.
    const token = options.token ?? daemon.token;
    return { endpoint: daemon.api, token, org: options.org, local: true };
  }
  const token = options.token ?? readEnv("PADDOCK_TOKEN") ?? readEnv("DENO_DEPLOY_TOKEN");
  if (token === undefined) throw new MissingTokenError();
  return { endpoint: normalizeEndpoint(endpoint), token, org, local: false };
}

function normalizeEndpoint(endpoint: string): string {
  let url: URL | undefined;
  try {
    url = new URL(endpoint);
  } catch {
    // Reported below.
  }
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    throw new SandboxSdkError(
      `the endpoint ${JSON.stringify(endpoint)} is not an http(s) URL`,
      { code: "INVALID_ENDPOINT", hint: 'for example "https://paddock.example.com"' },
    );
  }
  return url.href.replace(/\/+$/, "");
}
