/** System calls that Deno has no function for. */
export interface Libc {
  /** For all threads of the process. */
  setresuid(real: number, effective: number, saved: number): number;
  setresgid(real: number, effective: number, saved: number): number;
  setgroups(count: bigint, groups: Uint32Array<ArrayBuffer>): number;
  /** For the calling thread alone. */
  threadSetEffectiveUid(uid: number): number;
  threadSetEffectiveGid(gid: number): number;
  threadSetUids(real: number, effective: number, saved: number): number;
  threadSetGids(real: number, effective: number, saved: number): number;
  threadSetGroups(groups: number[]): number;
  fcntl(fd: number, command: number, argument: number): number;
  setHostname(name: string): number;
  /** Whether a path leads to something, for the real user. */
  exists(path: string): boolean;
  /** Milliseconds since 1970. */
  setRealtime(time: number): number;
  /** Mounts files in memory over a directory. */
  mountTmpfs(directory: string, options: string): number;
  /** Mixes bytes into the kernel's random generator and has it take a new seed from them at once. */
  addEntropy(bytes: Uint8Array): void;
}

/** Stands for "leave as it is" in the set…id calls. */
export const UNCHANGED = 0xffff_ffff;

const NUMBERS = {
  x86_64: { setresuid: 117n, setresgid: 119n, setgroups: 116n },
  aarch64: { setresuid: 147n, setresgid: 149n, setgroups: 159n },
} as const;

const CLOCK_REALTIME = 0;
/** MS_NOSUID and MS_NODEV of linux/mount.h. */
const NO_PRIVILEGES = 6n;
/** Of linux/random.h. */
const RNDADDENTROPY = 0x40085203n;
const RNDRESEEDCRNG = 0x5207n;

/** Of unistd.h. */
const F_OK = 0;

const id = "u32" as const;
const number = "i64" as const;

/** The C library of this process. Deno runs on glibc only, so there is one name for it. */
export function openLibc(): Libc {
  const numbers = NUMBERS[Deno.build.arch as keyof typeof NUMBERS];
  if (!numbers) throw new Error(`No system call numbers are known for ${Deno.build.arch}`);
  const { symbols } = Deno.dlopen("libc.so.6", {
    setresuid: { parameters: [id, id, id], result: "i32" },
    setresgid: { parameters: [id, id, id], result: "i32" },
    setgroups: { parameters: ["usize", "buffer"], result: "i32" },
    fcntl: { parameters: ["i32", "i32", "i64"], result: "i32" },
    access: { parameters: ["buffer", "i32"], result: "i32" },
    sethostname: { parameters: ["buffer", "usize"], result: "i32" },
    clock_settime: { parameters: ["i32", "buffer"], result: "i32" },
    mount: { parameters: ["buffer", "buffer", "buffer", "u64", "buffer"], result: "i32" },
    open: { parameters: ["buffer", "i32"], result: "i32" },
    close: { parameters: ["i32"], result: "i32" },
    ioctl: { parameters: ["i32", "u64", "buffer"], result: "i32" },
    syscall: { parameters: [number, number, number, number], result: number },
  });
  const setThree = (call: bigint) => (real: number, effective: number, saved: number) =>
    Number(symbols.syscall(call, BigInt(real), BigInt(effective), BigInt(saved)));
  return {
    setresuid: symbols.setresuid,
    setresgid: symbols.setresgid,
    setgroups: symbols.setgroups,
    threadSetEffectiveUid: (uid) =>
      Number(symbols.syscall(numbers.setresuid, -1n, BigInt(uid), -1n)),
    threadSetEffectiveGid: (gid) =>
      Number(symbols.syscall(numbers.setresgid, -1n, BigInt(gid), -1n)),
    threadSetUids: setThree(numbers.setresuid),
    threadSetGids: setThree(numbers.setresgid),
    threadSetGroups: (groups) => {
      // Small typed arrays without a buffer of their own may be moved about in memory.
      const list = new Uint32Array(new ArrayBuffer(groups.length * Uint32Array.BYTES_PER_ELEMENT));
      list.set(groups);
      const address = BigInt(Deno.UnsafePointer.value(Deno.UnsafePointer.of(list)));
      return Number(symbols.syscall(numbers.setgroups, BigInt(groups.length), address, 0n));
    },
    fcntl: (fd, command, argument) => symbols.fcntl(fd, command, BigInt(argument)),
    exists: (path) => symbols.access(text(path), F_OK) === 0,
    setHostname: (name) => {
      const bytes = new TextEncoder().encode(name);
      return symbols.sethostname(bytes, BigInt(bytes.length));
    },
    setRealtime: (time) => {
      const seconds = Math.floor(time / 1000);
      const nanoseconds = Math.round((time - seconds * 1000) * 1e6);
      return symbols.clock_settime(
        CLOCK_REALTIME,
        new BigInt64Array([BigInt(seconds), BigInt(nanoseconds)]),
      );
    },
    mountTmpfs: (directory, options) => {
      const type = text("tmpfs");
      return symbols.mount(type, text(directory), type, NO_PRIVILEGES, text(options));
    },
    addEntropy: (bytes) => {
      const fd = symbols.open(text("/dev/urandom"), 0);
      if (fd < 0) return;
      // struct rand_pool_info: how many bits of entropy, how many bytes, the bytes.
      const pool = new Uint8Array(8 + bytes.length);
      const head = new DataView(pool.buffer);
      head.setInt32(0, bytes.length * 8, true);
      head.setInt32(4, bytes.length, true);
      pool.set(bytes, 8);
      symbols.ioctl(fd, RNDADDENTROPY, pool);
      symbols.ioctl(fd, RNDRESEEDCRNG, null);
      symbols.close(fd);
    },
  };
}

function text(value: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(`${value}\0`);
}
