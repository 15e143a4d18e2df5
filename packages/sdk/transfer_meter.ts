import type { UploadOptions } from "./transfer_types.ts";

/** Adds up what a transfer has done and reports it. */
export class TransferMeter {
  readonly #report: UploadOptions["onProgress"];
  #bytes = 0;
  #entries = 0;

  constructor(report: UploadOptions["onProgress"]) {
    this.#report = report;
  }

  bytes(path: string, count: number): void {
    this.#bytes += count;
    this.#report?.({ path, bytes: this.#bytes, entries: this.#entries });
  }

  entry(path: string): void {
    this.#entries++;
    this.#report?.({ path, bytes: this.#bytes, entries: this.#entries });
  }
}
