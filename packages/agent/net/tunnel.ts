const BUFFER_BYTES = 128 * 1024;

/** A connection to a server in the guest, on whichever loopback address it listens. */
export async function connectLocally(port: number): Promise<Deno.TcpConn> {
  try {
    return await Deno.connect({ hostname: "127.0.0.1", port });
  } catch (error) {
    if (!(error instanceof Deno.errors.ConnectionRefused)) throw error;
    return await Deno.connect({ hostname: "::1", port });
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
  const buffer = new Uint8Array(BUFFER_BYTES);
  while (true) {
    const read = await from.read(buffer);
    if (read === null) break;
    await writeAll(to, buffer.subarray(0, read));
  }
  await to.closeWrite();
}

async function writeAll(conn: Deno.TcpConn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await conn.write(bytes.subarray(at));
}
