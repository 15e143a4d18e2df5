import process from "node:process";
import { formatElapsed } from "./format.ts";

/** What is being done now; `done` of `total` in any unit, both absent when nobody knows. */
export interface ProgressUpdate {
  step: string;
  /** Changes all the time, and is shown on a terminal only. */
  detail?: string;
  done?: number;
  total?: number;
}

/** A line that redraws itself on a terminal; on a pipe one plain line per step, at most every 2 s. */
export class Progress implements Disposable {
  #terminal: boolean;
  #write: (text: string) => void;
  #lastStep = "";
  #lastPrinted = 0;
  #started = performance.now();
  #open = false;

  constructor(options: { terminal?: boolean; write?: (text: string) => void } = {}) {
    this.#terminal = options.terminal ?? process.stderr.isTTY === true;
    this.#write = options.write ?? ((text) => void process.stderr.write(text));
  }

  update(update: ProgressUpdate): void {
    const now = performance.now();
    const newStep = update.step !== this.#lastStep;
    const interval = this.#terminal ? 100 : 2000;
    const complete = update.total !== undefined && update.done === update.total;
    if (!newStep && !complete && now - this.#lastPrinted < interval) return;
    this.#lastStep = update.step;
    this.#lastPrinted = now;
    if (!this.#terminal) {
      this.#write(`${update.step}${percent(update)}\n`);
      return;
    }
    this.#open = true;
    const elapsed = formatElapsed(now - this.#started);
    const columns = process.stderr.columns ?? 80;
    const detail = update.detail ? `  ${update.detail}` : "";
    const text = `${bar(update)}${update.step}${percent(update)}  ${elapsed}${detail}`;
    this.#write(`\r\x1b[K${[...text].slice(0, columns - 1).join("")}`);
  }

  [Symbol.dispose](): void {
    if (this.#open) this.#write("\r\x1b[K");
    this.#open = false;
  }
}

function percent({ done, total }: ProgressUpdate): string {
  if (done === undefined || !total) return "";
  return ` ${Math.min(100, Math.floor((done / total) * 100))}%`;
}

function bar({ done, total }: ProgressUpdate): string {
  if (done === undefined || !total) return "";
  const filled = Math.round(Math.min(1, done / total) * 20);
  return `[${"#".repeat(filled)}${"-".repeat(20 - filled)}] `;
}
