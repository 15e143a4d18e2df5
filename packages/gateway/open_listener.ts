export interface ListenAddress {
  /** `localhost` means 127.0.0.1, and ::1 where there is one. */
  host: string;
  /** 0: any free one. */
  port: number;
}

export interface Listener {
  /** May be called again for another address. */
  listen(address: ListenAddress): Promise<{ port: number }>;
  close(): Promise<void>;
}

export interface OpenListener<T> {
  listener: T;
  host: string;
  port: number;
}

/** How often another port is tried when the one got for the first address is taken on the second. */
const ATTEMPTS = 16;
const TAKEN = ["EADDRINUSE", "ADDRESS_IN_USE"];

/**
 * Makes a listener listen. Without an address it is localhost, with the preferred port when that is
 * free and any other when it is not. Programs resolve `*.localhost` to 127.0.0.1 or ::1, so both are
 * served on one port.
 */
export async function openListener<T extends Listener>(
  make: () => T,
  address: ListenAddress | undefined,
  preferredPort: number,
): Promise<OpenListener<T>> {
  if (address !== undefined) return await open(make, address);
  const host = "localhost";
  try {
    return await open(make, { host, port: preferredPort });
  } catch (error) {
    if (!isTaken(error)) throw error;
    return await open(make, { host, port: 0 });
  }
}

async function open<T extends Listener>(
  make: () => T,
  { host, port }: ListenAddress,
): Promise<OpenListener<T>> {
  for (let attempt = 1;; attempt++) {
    const listener = make();
    try {
      if (host !== "localhost") return { listener, host, ...await listener.listen({ host, port }) };
      const first = await listener.listen({ host: "127.0.0.1", port });
      await listener.listen({ host: "::1", port: first.port }).catch((error) => {
        // A host without IPv6 has no ::1, and says so in many ways (Deno 2.9: EINVAL).
        if (isTaken(error)) throw error;
      });
      return { listener, host, port: first.port };
    } catch (error) {
      await listener.close();
      if (!isTaken(error) || port !== 0 || attempt === ATTEMPTS) throw error;
    }
  }
}

/** Whether a failure to listen, or what caused it, is that another program has the port. */
function isTaken(error: unknown): boolean {
  const { code, cause } = error as { code?: string; cause?: { code?: string } };
  return TAKEN.includes(code ?? "") || TAKEN.includes(cause?.code ?? "");
}
