import { attributesOf, LocalFlag, setAttributes, terminalRequest } from "./terminal_attributes.ts";
import { system } from "./system.ts";

const O_RDWR = 2;
const O_NOCTTY = 0o400;
const O_NONBLOCK = 0o4000;
const O_CLOEXEC = 0o2000000;
const F_DUPFD_CLOEXEC = 1030;

const Request = {
  setWindowSize: 0x5414n,
  getNumber: 0x8004_5430n,
  setLock: 0x4004_5431n,
} as const;

/** The agent's side of a terminal. None of its calls waits. */
export class PseudoTerminal {
  /** Where a program finds the other side, which belongs to the sandbox user. */
  readonly path: string;
  /** Two descriptors of one thing, because each can be waited for in one direction. */
  readonly reading: number;
  readonly writing: number;
  #open = true;

  constructor(columns: number, rows: number) {
    const calls = system();
    this.reading = openTerminal("/dev/ptmx");
    this.writing = calls.fcntl(this.reading, F_DUPFD_CLOEXEC, 0);
    try {
      if (this.writing < 0) throw new Error(`No terminal can be made (os error ${calls.errno()})`);
      const number = new Uint32Array(1);
      terminalRequest(this.reading, Request.setLock, number);
      terminalRequest(this.reading, Request.getNumber, number);
      this.path = `/dev/pts/${number[0]}`;
      // One backspace takes one character away, however many bytes that has.
      const attributes = attributesOf(this.reading);
      attributes.expectUnicode();
      setAttributes(this.reading, attributes);
      this.resize(columns, rows);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  get open(): boolean {
    return this.#open;
  }

  resize(columns: number, rows: number): void {
    terminalRequest(this.reading, Request.setWindowSize, new Uint16Array([rows, columns, 0, 0]));
  }

  /**
   * Where in what is typed the first key is that must be pressed by `pressSignalKey`; -1 for none.
   * gVisor signals the foreground for Ctrl-C and its like, but then the program reads the key as
   * well, with all that was typed and not read before it; and it signals nobody while a line waits.
   */
  findSignalKey(typed: Uint8Array): number {
    if (!keepsSignalKeys()) return -1;
    const attributes = attributesOf(this.reading);
    if (!attributes.has(LocalFlag.signals)) return -1;
    const keys = attributes.signalKeys;
    return typed.findIndex((byte) => byte !== 0 && keys.includes(byte));
  }

  /** Signals the foreground and drops what is typed and not read, as Linux does for such a key. */
  pressSignalKey(key: number): void {
    const calls = system();
    const before = attributesOf(this.reading);
    const otherSide = openTerminal(this.path);
    try {
      // Whatever waits can be read when input is not by lines.
      setAttributes(this.reading, before.with({ without: LocalFlag.lines | LocalFlag.echo }));
      const dropped = new Uint8Array(4096);
      while (Number(calls.read(otherSide, dropped, BigInt(dropped.length))) > 0);
      if (before.has(LocalFlag.echo | LocalFlag.echoControl)) {
        const shown = new TextEncoder().encode(`^${String.fromCharCode(key ^ 0x40)}`);
        calls.write(otherSide, shown, BigInt(shown.length));
      }
      // In a line that is not finished nobody reads the key, and the erase takes it back.
      const pressing = before.with({ plus: LocalFlag.lines, without: LocalFlag.echoErase });
      setAttributes(this.reading, pressing.withEraseKey(ERASE));
      calls.write(this.writing, new Uint8Array([key, ERASE]), 2n);
      // At once: the program that was signalled may be about to look at them.
      setAttributes(this.reading, before);
    } finally {
      calls.close(otherSide);
    }
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    for (const fd of [this.reading, this.writing]) if (fd >= 0) system().close(fd);
  }
}

const ERASE = 0x7f;

function openTerminal(path: string): number {
  const calls = system();
  const flags = O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC;
  const fd = calls.open(new TextEncoder().encode(`${path}\0`), flags);
  if (fd < 0) throw new Error(`No terminal can be made (os error ${calls.errno()})`);
  return fd;
}

let kept: boolean | undefined;

/** Whether this kernel leaves a key that signals in the input, found out by pressing one. */
function keepsSignalKeys(): boolean {
  if (kept !== undefined) return kept;
  kept = false;
  const pty = new PseudoTerminal(1, 1);
  const calls = system();
  const otherSide = openTerminal(pty.path);
  const attributes = attributesOf(pty.reading);
  setAttributes(pty.reading, attributes.with({ without: LocalFlag.lines | LocalFlag.echo }));
  const [key] = attributes.signalKeys;
  calls.write(pty.writing, new Uint8Array([key]), 1n);
  kept = Number(calls.read(otherSide, new Uint8Array(1), 1n)) > 0;
  calls.close(otherSide);
  pty.close();
  return kept;
}
