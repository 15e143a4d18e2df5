export type ServiceTarget = { port: number } | { pid: number };

const DOMAIN = /^(?=.{1,253}(?::\d{1,5})?$)[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63})*(?::\d{1,5})?$/i;
const MAX_SERVICES = 256;

/**
 * Which domain names lead to which server in the sandbox. The port that visitors use is no part of
 * the name: it can differ between the way in and what the owner was told.
 */
export class ExposedServices {
  readonly #targets = new Map<string, ServiceTarget>();

  expose(domain: string, target: ServiceTarget): void {
    if (!DOMAIN.test(domain)) {
      throw new TypeError(`Not a domain name: ${JSON.stringify(domain.slice(0, 100))}`);
    }
    const key = nameOf(domain);
    if (!this.#targets.has(key) && this.#targets.size >= MAX_SERVICES) {
      throw new RangeError(`${MAX_SERVICES} domains are exposed, the most a sandbox may have`);
    }
    this.#targets.set(key, target);
  }

  targetOf(domain: string): ServiceTarget | undefined {
    return this.#targets.get(nameOf(domain));
  }
}

function nameOf(domain: string): string {
  return domain.replace(/:\d*$/, "").toLowerCase();
}
