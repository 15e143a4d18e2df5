import { type Libc, openLibc, UNCHANGED } from "./libc.ts";

export interface Account {
  name: string;
  uid: number;
  gid: number;
  home: string;
}

const ROOT = 0;

/**
 * Who the agent is. gVisor runs no setuid programs, so one process must be able to act as two users:
 * the agent's threads carry the effective ids of the sandbox user, and files they touch are touched
 * as that user; the real and saved ids stay root's, so that guest processes can neither signal nor
 * trace the agent, and so that it can be root again where it has to.
 */
export class Identity {
  readonly account: Account;
  readonly #libc: Libc | undefined;
  #depth = 0;

  private constructor(account: Account, libc: Libc | undefined) {
    this.account = account;
    this.#libc = libc;
  }

  /** Takes on the account. Without root the agent stays who it is, and everything is done as that. */
  static assume(account: Account): Identity {
    if (Deno.uid() !== ROOT) {
      return new Identity({ ...account, uid: Deno.uid()!, gid: Deno.gid()! }, undefined);
    }
    const libc = openLibc();
    const { uid, gid } = account;
    expectZero("setgroups", libc.setgroups(1n, new Uint32Array([gid])));
    expectZero("setresgid", libc.setresgid(UNCHANGED, gid, ROOT));
    expectZero("setresuid", libc.setresuid(ROOT, uid, ROOT));
    return new Identity(account, libc);
  }

  get canBeRoot(): boolean {
    return this.#libc !== undefined;
  }

  get libc(): Libc | undefined {
    return this.#libc;
  }

  /**
   * Does synchronous work as root: on this thread alone, and no other code runs on it meanwhile.
   * Work that goes on after it returned goes on as the sandbox user.
   */
  asRoot<T>(work: () => T): T {
    if (!this.#libc) return work();
    this.#enter(this.#libc);
    try {
      return work();
    } finally {
      this.#leave(this.#libc);
    }
  }

  #enter(libc: Libc): void {
    if (this.#depth++ > 0) return;
    if (libc.threadSetEffectiveUid(ROOT) !== 0 || libc.threadSetEffectiveGid(ROOT) !== 0) {
      this.#leave(libc);
      throw new Error("The agent could not become root");
    }
  }

  #leave(libc: Libc): void {
    if (--this.#depth > 0) return;
    const { uid, gid } = this.account;
    // The order matters: without root's effective uid the group could not be changed.
    if (libc.threadSetEffectiveGid(gid) !== 0 || libc.threadSetEffectiveUid(uid) !== 0) {
      console.error("The agent could not stop being root: it ends, rather than act as root");
      Deno.exit(1);
    }
  }
}

function expectZero(name: string, result: number): void {
  if (result !== 0) throw new Error(`${name} failed: the agent cannot act as the sandbox user`);
}
