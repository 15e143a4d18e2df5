const FIRST_BUFFER_BYTES = 4 * 1024;
const MAX_BUFFER_BYTES = 128 * 1024;
/** A buffer shrinks after this many reads in a row that fill little of it. */
const SMALL_READS = 8;

export interface TunnelTarget {
  /** A server in this guest when there is none. */
  host?: string;
  port: number;
}

/** A connection as a program in the guest would make it. */
export async function connectFromGuest(
  { host, port }: TunnelTarget,
  signal: AbortSignal,
): Promise<Deno.TcpConn> {
  if (host !== undefined && host.toLowerCase() !== "localhost") {
    return await Deno.connect({ hostname: host, port, signal });
  }
  try {
    return await Deno.connect({ hostname: "127.0.0.1", port, signal });
  } catch (error) {
    if (!(error instanceof Deno.errors.ConnectionRefused)) throw error;
    return await Deno.connect({ hostname: "::1", port, signal });
  }
}

/** Passes bytes both ways until both sides are done. `rest` goes to the right first. */
export async function splice(
  left: Deno.TcpConn,
  right: Deno.TcpConn,
  rest: Uint8Array,
): Promise<void> {
  try {
    await writeAll(right, rest);
    await Promise.all([pump(left, right), pump(right, left)]);
  } catch {
    // One side broke off: so does the other, below.
  } finally {
    for (const conn of [left, right]) {
      try {
        conn.close();
      } catch {
        // Closed already.
      }
    }
  }
}

async function pump(from: Deno.TcpConn, to: Deno.TcpConn): Promise<void> {
  // Most tunnels are idle WebSockets: only one that carries much gets much memory.
  let buffer = new Uint8Array(FIRST_BUFFER_BYTES);
  let smallReads = 0;
  while (true) {
    const read = await from.read(buffer);
    if (read === null) break;
    await writeAll(to, buffer.subarray(0, read));
    if (read === buffer.length && read < MAX_BUFFER_BYTES) {
      buffer = new Uint8Array(buffer.length * 4 > MAX_BUFFER_BYTES ? MAX_BUFFER_BYTES : read * 4);
    }
    smallReads = read < buffer.length / 8 ? smallReads + 1 : 0;
    if (smallReads >= SMALL_READS && buffer.length > FIRST_BUFFER_BYTES) {
      buffer = new Uint8Array(FIRST_BUFFER_BYTES);
      smallReads = 0;
    }
  }
  await to.closeWrite();
}

async function writeAll(conn: Deno.TcpConn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await conn.write(bytes.subarray(at));
}
