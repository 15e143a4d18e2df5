import type { ExposeAnswer, ExposeSshAnswer, ExposureInfo, LinkAnswer } from "@paddock/protocol";
import type { Link } from "./link.ts";
import { restRequest } from "./rest.ts";
import { type Duration, durationMs } from "./sandbox_options.ts";
import { InvalidTimeoutError } from "./errors.ts";

/** Which HTTP server in a sandbox: one that listens on a port, or that of a process. */
export type HttpTarget = { port: number } | { pid: number };

/** Options for `sandbox.exposeHttp`. */
export interface ExposeHttpOptions {
  /**
   * The first label of the address: 3 to 40 of `a-z`, `0-9` and `-`, unique on the server. Default: a
   * random one that cannot be guessed.
   */
  name?: string;
}

/** Options for `sandbox.expose`. */
export interface ExposeOptions extends ExposeHttpOptions {
  /** `"protected"`: visitors need the token, or a signed link. Default: `"public"`. */
  access?: "public" | "protected";
}

/** An address that lets its visitors in until it expires. */
export interface SignedLink {
  url: string;
  expiresAt: Date;
}

/** How to reach a sandbox by SSH: `ssh -p PORT USERNAME@HOST`. */
export interface SshAccess {
  /** Followed by `:` and the port, unless that is 22. */
  hostname: string;
  /** Who knows it needs nothing else: no key and no password. */
  username: string;
  /** The server's key, as a line in `known_hosts` has it behind the host. Not told by hosted services. */
  hostKey?: string;
  /** What `sandbox.withdraw()` takes. Not told by hosted services. */
  name?: string;
}

/** What `sandbox.exposures()` lists. */
export interface ExposureListItem {
  /** What `sandbox.withdraw()` takes. Of SSH it is a hash of the user name. */
  name: string;
  kind: "http" | "vscode" | "ssh";
  access: "public" | "protected";
  /** Not of SSH. */
  url: string | undefined;
  createdAt: Date;
}

/** An HTTP server in a sandbox that is reachable from outside, as `sandbox.expose` returns it. */
export class HttpExposure {
  /** Where it is: `https://` and a name below the server's base domain. */
  readonly url: string;
  readonly access: "public" | "protected";
  /** What visitors of a protected address show. It is told this once. */
  readonly token: string | undefined;
  readonly #link: Link;
  readonly #domain: string;

  /** @internal */
  constructor(link: Link, { domain, token }: ExposeAnswer) {
    this.#link = link;
    this.#domain = domain;
    this.url = `https://${domain}`;
    this.token = token;
    this.access = token === undefined ? "public" : "protected";
  }

  /** The first label of the address. */
  get name(): string {
    return this.#domain.slice(0, this.#domain.indexOf("."));
  }

  /** A link that opens the protected address without the token, for as long as is given. */
  async signLink({ expiresIn }: { expiresIn: Duration }): Promise<SignedLink> {
    const duration = durationMs(expiresIn);
    if (duration === undefined) {
      throw new InvalidTimeoutError('a duration is needed, for example "5m" or "600s"');
    }
    const answer = await restRequest<LinkAnswer>(this.#link.target, {
      method: "POST",
      path: `/api/v3/sandbox/${this.#link.sandboxId}/expose/http/link`,
      body: { domain: this.#domain, expires_in: Math.ceil(duration / 1000) },
    });
    return { url: answer.url, expiresAt: new Date(answer.expires_at) };
  }

  /** Takes the address back: its visitors find nothing there any more. */
  async withdraw(): Promise<void> {
    await withdrawExposure(this.#link, this.name);
  }

  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return `HttpExposure { url: '${this.url}', access: '${this.access}' }`;
  }
}

/** Asks the server for a name. */
export async function requestDomain(
  link: Link,
  kind: "http" | "vscode",
  { name, access }: ExposeOptions = {},
): Promise<ExposeAnswer> {
  return await restRequest<ExposeAnswer>(link.target, {
    method: "POST",
    path: `/api/v3/sandbox/${link.sandboxId}/expose/${kind}`,
    body: { ...name !== undefined && { name }, ...access !== undefined && { access } },
  });
}

/** Asks the server for a name and tells the agent where it leads. */
export async function exposeHttpTarget(
  link: Link,
  target: HttpTarget & ExposeOptions,
): Promise<ExposeAnswer> {
  const answer = await requestDomain(link, "http", target);
  const { domain } = answer;
  await link.call(
    "exposeHttp",
    "port" in target ? { domain, port: target.port } : { domain, pid: target.pid },
  );
  return answer;
}

export async function listExposures(link: Link): Promise<ExposureListItem[]> {
  const list = await restRequest<ExposureInfo[]>(link.target, {
    method: "GET",
    path: `/api/v3/sandbox/${link.sandboxId}/exposures`,
  });
  return list.map(({ name, kind, access, url, createdAt }) => ({
    ...{ name, kind, access },
    url: url ?? undefined,
    createdAt: new Date(createdAt),
  }));
}

export async function withdrawExposure(link: Link, name: string): Promise<void> {
  await restRequest(link.target, {
    method: "DELETE",
    path: `/api/v3/sandbox/${link.sandboxId}/exposures/${encodeURIComponent(name)}`,
  });
}

export async function requestSsh(link: Link): Promise<SshAccess> {
  const { hostname, username, name, host_key: hostKey } = await restRequest<
    Pick<ExposeSshAnswer, "hostname" | "username"> & Partial<ExposeSshAnswer>
  >(link.target, {
    method: "POST",
    path: `/api/v3/sandbox/${link.sandboxId}/expose/ssh`,
    body: {},
  });
  return { hostname, username, ...hostKey && { hostKey }, ...name && { name } };
}
