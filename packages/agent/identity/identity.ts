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

  /**
   * Does synchronous work with a user as the thread's real and effective id, which are what a
   * program that is started inherits: nothing of root is left in it. Only the saved id stays root's,
   * for the way back. Until then the agent can be signalled by that user.
   */
  asUser<T>(user: { uid: number; gid: number }, work: () => T): T {
    const libc = this.#libc;
    if (!libc) return work();
    if (user.uid === ROOT) {
      return this.asRoot(() => this.#withGroups(libc, [user.gid], work));
    }
    if (user.uid === this.account.uid && user.gid === this.account.gid) {
      return this.#withIds(libc, user, work);
    }
    return this.asRoot(() =>
      this.#withGroups(libc, [user.gid], () => this.#withIds(libc, user, work))
    );
  }

  #withIds<T>(libc: Libc, { uid, gid }: { uid: number; gid: number }, work: () => T): T {
    const asBefore = this.#depth > 0 ? { uid: ROOT, gid: ROOT } : this.account;
    try {
      if (libc.threadSetGids(gid, gid, ROOT) !== 0 || libc.threadSetUids(uid, uid, ROOT) !== 0) {
        throw new Error("The agent could not become another user");
      }
      return work();
    } finally {
      if (
        libc.threadSetUids(ROOT, asBefore.uid, ROOT) !== 0 ||
        libc.threadSetGids(ROOT, asBefore.gid, ROOT) !== 0
      ) this.#giveUp();
    }
  }

  /** Needs root. */
  #withGroups<T>(libc: Libc, groups: number[], work: () => T): T {
    try {
      if (libc.threadSetGroups(groups) !== 0) {
        throw new Error("The agent could not change its groups");
      }
      return work();
    } finally {
      if (libc.threadSetGroups([this.account.gid]) !== 0) this.#giveUp();
    }
  }

  #giveUp(): never {
    console.error("The agent could not become itself again: it ends, rather than act as another");
    Deno.exit(1);
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
      this.#giveUp();
    }
  }
}

function expectZero(name: string, result: number): void {
  if (result !== 0) throw new Error(`${name} failed: the agent cannot act as the sandbox user`);
}
