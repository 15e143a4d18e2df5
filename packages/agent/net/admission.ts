/**
 * Connections that have shown the token. Only the host has it, and bounds them on its side; each
 * WebSocket of a visitor to a server on loopback is one.
 */
const MAX_KNOWN = 4096;
/** Connections from the host whose token is not read yet: a moment each, but visitors come in crowds. */
const MAX_WAITING = 1024;
/** The same for programs of the guest, none of which has business here. */
const MAX_WAITING_FROM_GUEST = 32;

/** A connection's place; giving it back may be repeated. */
export interface Place extends Disposable {
  /** The token was right. False when there are too many such connections. */
  confirm(): boolean;
}

/**
 * How many connections the agent takes. Whoever has not shown the token waits in a room of its own,
 * and guest programs in another one than the host: they cannot keep it from its agent.
 */
export class Admission {
  #known = 0;
  readonly #waiting = { guest: 0, host: 0 };

  /** A place in the waiting room, or undefined when it is full. */
  enter(remote: Deno.Addr, local: Deno.Addr): Place | undefined {
    const room = isFromGuest(remote, local) ? "guest" : "host";
    const most = room === "guest" ? MAX_WAITING_FROM_GUEST : MAX_WAITING;
    if (this.#waiting[room] >= most) return undefined;
    this.#waiting[room]++;
    let leave = () => void this.#waiting[room]--;
    return {
      confirm: () => {
        if (this.#known >= MAX_KNOWN) return false;
        leave();
        this.#known++;
        leave = () => void this.#known--;
        return true;
      },
      [Symbol.dispose]: () => {
        leave();
        leave = () => {};
      },
    };
  }
}

/** A guest reaches its own agent over loopback, or from the very address that it dials. */
function isFromGuest(remote: Deno.Addr, local: Deno.Addr): boolean {
  const [from, to] = [addressOf(remote), addressOf(local)];
  return from === undefined || from === to || from === "::1" || from.startsWith("127.");
}

function addressOf(address: Deno.Addr): string | undefined {
  if (address.transport !== "tcp") return undefined;
  return address.hostname.replace(/^::ffff:(?=\d+\.)/i, "");
}
