/** How far a transfer has come. */
export interface TransferProgress {
  /** Path, relative to what is being transferred, of the file that progressed; `""` for a lone file. */
  path: string;
  /** Bytes of all files so far. */
  bytes: number;
  /** Files, directories and links completed so far. */
  entries: number;
}

export interface UploadOptions {
  /** Stops the transfer; files that are complete stay, and no others. */
  signal?: AbortSignal;
  onProgress?(progress: TransferProgress): void;
}

export interface DownloadOptions extends UploadOptions {
  /**
   * What to do with a symbolic link that points outside the downloaded directory: `"refuse"` the download
   * (default), `"skip"` the link, or `"keep"` it as it is. Downloads never write through a link.
   */
  outsideLinks?: "refuse" | "skip" | "keep";
}
