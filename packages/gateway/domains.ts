/** What stands before a port in a base domain such as `preview.example.com:443`. */
export interface BaseDomain {
  host: string;
  /** The public port; undefined: the one that the ingress listens on. */
  port: number | undefined;
}

export function parseBaseDomain(text: string): BaseDomain {
  const match = /^(.*?)(?::(\d+))?$/.exec(text)!;
  return { host: match[1].toLowerCase(), port: match[2] ? Number(match[2]) : undefined };
}

/** A host and its port, unless that is the one that everybody takes. */
export function withPort(host: string, port: number, usual: number): string {
  return port === usual ? host : `${host}:${port}`;
}

/** The first label of a name right below the base domain; a port after it is left out. */
export function labelBelow(host: string, domain: string): string | undefined {
  const name = domain.toLowerCase().replace(/:\d+$/, "");
  const label = name.slice(0, -host.length - 1);
  return name === `${label}.${host}` && /^[a-z0-9-]{1,63}$/.test(label) ? label : undefined;
}
