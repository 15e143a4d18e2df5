import { createHash } from "node:crypto";
import { join } from "node:path";
import { runCommand } from "@paddock/driver";
import { type FirecrackerInstallation, installFirecracker, refused } from "./installation.ts";

/** The release that is fetched when nothing else is asked for; the one our lab runs. */
export const PINNED_RELEASE = "1.16.1";

/** Where releases are published; a mirror is told with `from`. */
const RELEASES = "https://github.com/firecracker-microvm/firecracker/releases/download";
const ARCHITECTURE = "x86_64";
const DEADLINE_MS = 10 * 60_000;
/** An archive has about 50 MB, with debug information; a checksum file one line. */
const MAX_ARCHIVE_BYTES = 512 * 1024 * 1024;
const MAX_CHECKSUM_BYTES = 4 * 1024;

export interface FetchOptions {
  dataDir: string;
  version?: string;
  /** A folder that is laid out as the project's own releases are. */
  from?: string;
  /** What the archive's digest has to be; the release's own file of it is asked without. */
  sha256?: string;
  signal: AbortSignal;
  onProgress?: (bytes: number, total: number | undefined) => void;
}

/**
 * Fetches a release, compares it with its checksum, and installs it. The checksum that the release
 * itself publishes shows a broken download; only one from elsewhere (`sha256`) shows a forged one.
 */
export async function fetchRelease(options: FetchOptions): Promise<FirecrackerInstallation> {
  const { dataDir, version = PINNED_RELEASE, from = RELEASES } = options;
  if (!/^\d+\.\d+\.\d+$/.test(version)) throw refused(`"${version}" is no version such as 1.16.1`);
  const signal = AbortSignal.any([options.signal, AbortSignal.timeout(DEADLINE_MS)]);
  const name = `firecracker-v${version}-${ARCHITECTURE}.tgz`;
  const url = `${from.replace(/\/+$/, "")}/v${version}/${name}`;
  await Deno.mkdir(dataDir, { recursive: true, mode: 0o700 });
  const work = await Deno.makeTempDir({ dir: dataDir, prefix: ".firecracker-fetch-" });
  try {
    const wanted = options.sha256?.toLowerCase() ?? await publishedChecksum(url, name, signal);
    if (!/^[0-9a-f]{64}$/.test(wanted)) throw refused("a SHA-256 has 64 hexadecimal digits");
    const archive = join(work, name);
    const found = await download(url, archive, signal, options.onProgress);
    if (found !== wanted) {
      throw refused(`${url} has the SHA-256 ${found} and not ${wanted}`);
    }
    // Only these two are taken out of it, as plain files, whatever else it holds.
    const folder = `release-v${version}-${ARCHITECTURE}`;
    const programs = ["firecracker", "jailer"].map((program) => ({
      member: `${folder}/${program}-v${version}-${ARCHITECTURE}`,
      path: join(work, program),
    }));
    for (const { member, path } of programs) await unpack(archive, member, path, signal);
    const [firecracker, jailer] = programs.map(({ path }) => path);
    return await installFirecracker({
      ...{ dataDir, firecracker, jailer, signal },
      source: `${url} (sha256 ${found})`,
    });
  } finally {
    await Deno.remove(work, { recursive: true });
  }
}

async function publishedChecksum(url: string, name: string, signal: AbortSignal): Promise<string> {
  const response = await get(`${url}.sha256.txt`, signal);
  const text = new TextDecoder().decode(await bounded(response, MAX_CHECKSUM_BYTES));
  const [digest, file] = text.trim().split(/\s+/);
  if (file !== undefined && file.replace(/^\*/, "") !== name) {
    throw refused(`${url}.sha256.txt is of another file`);
  }
  return digest.toLowerCase();
}

async function download(
  url: string,
  to: string,
  signal: AbortSignal,
  onProgress: FetchOptions["onProgress"],
): Promise<string> {
  const response = await get(url, signal);
  const total = Number(response.headers.get("content-length")) || undefined;
  const hash = createHash("sha256");
  using file = await Deno.open(to, { write: true, createNew: true, mode: 0o600 });
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length;
    if (bytes > MAX_ARCHIVE_BYTES) {
      throw refused(`${url} is larger than ${MAX_ARCHIVE_BYTES} bytes`);
    }
    hash.update(chunk);
    for (let at = 0; at < chunk.length;) at += await file.write(chunk.subarray(at));
    onProgress?.(bytes, total);
  }
  return hash.digest("hex");
}

async function get(url: string, signal: AbortSignal): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(url, { signal });
  } catch (cause) {
    if (signal.aborted) throw signal.reason;
    throw refused(
      `${url} cannot be reached (${(cause as Error).message}). On a host without the internet, ` +
        "give the programs with --binary and --jailer, or a mirror with --from",
      cause,
    );
  }
  if (response.ok) return response;
  await response.body?.cancel();
  throw refused(`${url} answered ${response.status}`);
}

async function bounded(response: Response, most: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length;
    if (bytes > most) throw refused(`${response.url} is larger than ${most} bytes`);
    chunks.push(chunk);
  }
  return new Uint8Array(await new Blob(chunks as BlobPart[]).arrayBuffer());
}

async function unpack(archive: string, member: string, to: string, signal: AbortSignal) {
  const done = await runCommand([
    ...["sh", "-c", 'tar -xzOf "$1" "$2" > "$3"', "sh"],
    ...[archive, member, to],
  ], { signal, deadlineMs: 120_000 });
  if (!done.ok) throw refused(`the archive has no ${member}`);
}
