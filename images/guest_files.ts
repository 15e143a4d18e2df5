import { join } from "node:path";
import { repositoryRoot } from "./repository_root.ts";

/** A file of ours in the guest. */
export interface GuestFile {
  /** Absolute path in the guest. */
  path: string;
  content: Uint8Array;
  mode: number;
}

interface AgentBundle {
  agent: Uint8Array;
  repl: Uint8Array;
}

/** The agent, its REPL and the guest's `sudo`, from packages/agent. */
export async function readGuestFiles(): Promise<GuestFile[]> {
  const bundlePath = join(repositoryRoot, "packages/agent/bundle.ts");
  const bundle: AgentBundle = await exists(bundlePath)
    ? await (await import(bundlePath)).bundleAgent()
    : placeholder;
  const sudoPath = join(repositoryRoot, "packages/agent/guest/sudo");
  return [
    { path: "/opt/paddock/agent.js", content: bundle.agent, mode: 0o644 },
    { path: "/opt/paddock/repl.js", content: bundle.repl, mode: 0o644 },
    {
      path: "/usr/bin/sudo",
      content: await exists(sudoPath) ? await Deno.readFile(sudoPath) : noSudo,
      mode: 0o755,
    },
  ];
}

const text = (source: string) => new TextEncoder().encode(source);
const placeholder: AgentBundle = {
  agent: text("throw new Error('this image was built before packages/agent/bundle.ts existed');\n"),
  repl: text("throw new Error('this image was built before packages/agent/bundle.ts existed');\n"),
};
const noSudo = text("#!/bin/sh\necho 'sudo: not in this image yet' >&2\nexit 1\n");

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}

/** Writes files into a tree whose other files are hard links: always a new inode. */
export async function writeGuestFiles(root: string, files: GuestFile[]): Promise<void> {
  for (const { path, content, mode } of files) {
    const target = join(root, path);
    await Deno.mkdir(join(target, ".."), { recursive: true });
    await Deno.remove(target).catch((error) => {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    });
    await Deno.writeFile(target, content);
    await Deno.chmod(target, mode);
  }
}
