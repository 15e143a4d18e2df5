import { constants } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { Sandbox, type TransferProgress } from "@paddock/sandbox";
import { CliError, usageError } from "../cli_error.ts";
import { clientOptions } from "../connection.ts";
import { exitCodes } from "../exit_codes.ts";
import { formatBytes, formatElapsed, visible } from "../format.ts";
import { printJson, printNote } from "../output.ts";
import { parseCopyPath } from "../parse_values.ts";
import { Progress } from "../progress.ts";
import { onSignals } from "../signals.ts";
import type { ConnectionOptions, JsonOption } from "./options.ts";

interface CopyOptions extends ConnectionOptions, JsonOption {
  quiet?: boolean;
  outsideLinks: "refuse" | "skip" | "keep";
}

export async function copyCommand(
  source: string,
  destination: string,
  options: CopyOptions,
): Promise<void> {
  const from = parseCopyPath(source);
  const to = parseCopyPath(destination);
  if (from.kind === to.kind) {
    throw usageError(
      "one of the two paths must be in a sandbox, and the other here",
      "write the one in the sandbox as ID:PATH, for example sbx_ord_…:/tmp/file",
    );
  }
  const inSandbox = from.kind === "sandbox" ? from : to.kind === "sandbox" ? to : undefined;
  const sandbox = await Sandbox.connect(inSandbox!.id, clientOptions(options));
  const stopped = new AbortController();
  using _signals = onSignals(["SIGINT", "SIGTERM"], (signal) => {
    const exitCode = exitCodes.signalBase + constants.signals[signal];
    stopped.abort(new CliError("interrupted; what was copied stays", { exitCode }));
  });
  const started = performance.now();
  let last: TransferProgress = { path: "", bytes: 0, entries: 0 };
  try {
    using progress = new Progress();
    const shown = !options.quiet && !options.json && process.stderr.isTTY;
    let total: number | undefined;
    // Beside the copying, which need not wait for it: it only makes the bar.
    const measured = shown ? sizeOf(from, sandbox).catch(() => undefined) : undefined;
    measured?.then((bytes) => total = bytes);
    const transfer = {
      signal: stopped.signal,
      onProgress: (now: TransferProgress) => {
        last = now;
        if (!shown) return;
        const detail = `${formatBytes(now.bytes)}  ${visible(now.path)}`;
        progress.update({ step: "copying", done: now.bytes, total, detail });
      },
    };
    if (from.kind === "local") await sandbox.fs.upload(from.path, to.path, transfer);
    else {
      const { outsideLinks } = options;
      await sandbox.fs.download(from.path, to.path, { ...transfer, outsideLinks });
    }
    await measured;
  } finally {
    await sandbox.close();
  }
  const milliseconds = Math.round(performance.now() - started);
  if (options.json) printJson({ bytes: last.bytes, entries: last.entries, milliseconds });
  else if (!options.quiet && process.stderr.isTTY) {
    const entries = last.entries === 1 ? "1 entry" : `${last.entries} entries`;
    printNote(`${formatBytes(last.bytes)} in ${entries}, ${formatElapsed(milliseconds)}`);
  }
}

/** For the progress bar alone, so a sandbox may say what it likes. */
async function sizeOf(
  source: ReturnType<typeof parseCopyPath>,
  sandbox: Sandbox,
): Promise<number | undefined> {
  if (source.kind === "local") return await localSize(source.path);
  const info = await sandbox.fs.stat(source.path);
  if (!info.isDirectory) return info.size;
  const sizes = await sandbox.spawn("du", {
    args: ["-sb", "--", source.path],
    stdout: "piped",
    stderr: "null",
  });
  const total = parseInt((await sizes.output()).stdoutText ?? "", 10);
  return Number.isSafeInteger(total) ? total : undefined;
}

async function localSize(path: string): Promise<number> {
  const info = await Deno.lstat(path);
  if (!info.isDirectory) return info.isFile ? info.size : 0;
  let total = 0;
  for await (const entry of Deno.readDir(path)) total += await localSize(join(path, entry.name));
  return total;
}
