import { join } from "node:path";
import { compileEpollGuard } from "./epoll_guard.ts";
import { repositoryRoot } from "./repository_root.ts";

/** A file of ours in the guest. */
export interface GuestFile {
  /** Absolute path in the guest. */
  path: string;
  content: Uint8Array;
  mode: number;
  /** Makes of `content` what is written, when an image is built and not when one is looked for. */
  compile?: (content: Uint8Array) => Promise<Uint8Array<ArrayBuffer>>;
}

/** Where the driver shows what sandboxes share beside their image. */
const layersPath = "/opt/paddock/layers";

const encoder = new TextEncoder();
const guardPath = "/opt/paddock/epoll_guard.so";

/** The agent, its REPL, the guest's `sudo` and the guard of its event loops, from packages/agent. */
export async function readGuestFiles(): Promise<GuestFile[]> {
  // Imported here, because the bundler is slow to load and a caller with files of its own needs none.
  const { bundleAgent } = await import("../packages/agent/bundle.ts");
  const { agent, repl } = await bundleAgent();
  const source = (name: string) =>
    Deno.readFile(join(repositoryRoot, "packages/agent/guest", name));
  return [
    { path: "/opt/paddock/agent.js", content: agent, mode: 0o644 },
    { path: "/opt/paddock/repl.js", content: repl, mode: 0o644 },
    { path: "/usr/bin/sudo", content: await source("sudo"), mode: 0o755 },
    {
      path: guardPath,
      content: await source("epoll_guard.c"),
      compile: compileEpollGuard,
      mode: 0o644,
    },
    // For every program: those that a user starts are as often built on the same event loop.
    { path: "/etc/ld.so.preload", content: encoder.encode(`${guardPath}\n`), mode: 0o644 },
  ];
}

/** Writes files, and the places of mounts, into a tree whose other files are hard links: always a new inode. */
export async function writeGuestFiles(root: string, files: GuestFile[]): Promise<void> {
  await Deno.mkdir(join(root, layersPath), { recursive: true });
  for (const { path, content, compile, mode } of files) {
    const target = join(root, path);
    await Deno.mkdir(join(target, ".."), { recursive: true });
    await Deno.remove(target).catch((error) => {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    });
    await Deno.writeFile(target, await compile?.(content) ?? content);
    await Deno.chmod(target, mode);
  }
}
