import { system } from "./system.ts";

const symbols = {
  ioctl: { parameters: ["i32", "u64", "buffer"], result: "i32" },
} as const;

let opened: Deno.DynamicLibrary<typeof symbols>["symbols"] | undefined;

export function terminalRequest(
  fd: number,
  request: bigint,
  argument: Uint8Array<ArrayBuffer> | Uint16Array<ArrayBuffer> | Uint32Array<ArrayBuffer>,
): void {
  opened ??= Deno.dlopen("libc.so.6", symbols).symbols;
  if (opened.ioctl(fd, request, argument) === 0) return;
  throw new Error(`A terminal refused a request (os error ${system().errno()})`);
}

const GET = 0x5401n;
const SET = 0x5402n;

/** More than the kernel's structure has. */
const BYTES = 64;
const LOCAL_FLAGS_OFFSET = 12;
const KEYS_OFFSET = 17;
const Key = { interrupt: 0, quit: 1, erase: 2, suspend: 10 } as const;
const EXPECT_UNICODE = 0o40000;

export const LocalFlag = {
  signals: 0o1,
  /** Input is read by lines, which can be edited before they end. */
  lines: 0o2,
  echo: 0o10,
  echoErase: 0o20,
  echoControl: 0o1000,
} as const;

/** How a terminal treats what passes through it: the kernel's `termios`. */
export class TerminalAttributes {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly #view: DataView;

  constructor(bytes: Uint8Array<ArrayBuffer>) {
    this.bytes = bytes;
    this.#view = new DataView(bytes.buffer);
  }

  has(flags: number): boolean {
    return (this.#localFlags & flags) === flags;
  }

  /** The keys that signal the foreground while that is on. */
  get signalKeys(): number[] {
    return [Key.interrupt, Key.quit, Key.suspend].map((key) => this.bytes[KEYS_OFFSET + key]);
  }

  with({ plus = 0, without = 0 }: { plus?: number; without?: number }): TerminalAttributes {
    const changed = new TerminalAttributes(this.bytes.slice());
    changed.#view.setUint32(LOCAL_FLAGS_OFFSET, (this.#localFlags | plus) & ~without, true);
    return changed;
  }

  withEraseKey(key: number): TerminalAttributes {
    const changed = new TerminalAttributes(this.bytes.slice());
    changed.bytes[KEYS_OFFSET + Key.erase] = key;
    return changed;
  }

  expectUnicode(): void {
    this.#view.setUint32(0, this.#view.getUint32(0, true) | EXPECT_UNICODE, true);
  }

  get #localFlags(): number {
    return this.#view.getUint32(LOCAL_FLAGS_OFFSET, true);
  }
}

export function attributesOf(fd: number): TerminalAttributes {
  const bytes = new Uint8Array(BYTES);
  terminalRequest(fd, GET, bytes);
  return new TerminalAttributes(bytes);
}

export function setAttributes(fd: number, attributes: TerminalAttributes): void {
  terminalRequest(fd, SET, attributes.bytes);
}
