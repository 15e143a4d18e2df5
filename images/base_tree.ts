import { basename, dirname, join } from "node:path";
import { recipe } from "./recipe.ts";
import { runChild } from "./run_child.ts";
import { cleanTree } from "./clean_tree.ts";
import type { HostPrograms } from "./host_programs.ts";
import { ImageBuildError } from "./image_build_error.ts";
import { prelink } from "./prelink.ts";

export interface BaseTreeOptions {
  /** An absent or empty directory beside its final place, on the same filesystem. */
  into: string;
  programs: HostPrograms;
  /** Another Debian mirror than mmdebstrap's own choice. */
  mirror?: string;
  timeoutMs: number;
  signal?: AbortSignal;
  onProgress: (percent: number, what: string) => void;
}

// mmdebstrap names its phases on stderr; the percentages are their measured share of the time.
const phases: [RegExp, number, string][] = [
  [/running apt-get update/, 5, "reading Debian's package lists"],
  [/downloading packages/, 15, "downloading Debian packages"],
  [/extracting archives/, 35, "unpacking Debian"],
  [/installing essential/, 45, "installing the essential packages"],
  [/installing remaining/, 60, "installing bash, curl, git, python3 and the rest"],
  [/cleaning package lists/, 88, "cleaning up"],
];

/** Builds the tree that every guest image starts from: Debian, Deno, Node with npm, the user. */
export async function buildBaseTree(options: BaseTreeOptions): Promise<void> {
  const { into, programs, onProgress } = options;
  onProgress(2, "starting mmdebstrap");
  await runChild(
    [
      "mmdebstrap",
      "--mode=root",
      "--format=directory",
      `--variant=${recipe.variant}`,
      `--include=${recipe.packages.join(",")}`,
      ...recipe.aptOptions.map((option) => `--aptopt=${option}`),
      ...recipe.dpkgOptions.map((option) => `--dpkgopt=${option}`),
      recipe.suite,
      into,
      ...(options.mirror ? [options.mirror] : []),
    ],
    {
      timeoutMs: options.timeoutMs,
      signal: options.signal,
      hint: "Another Debian mirror can be set in PADDOCK_DEBIAN_MIRROR.",
      env: { LC_ALL: "C.UTF-8", DEBIAN_FRONTEND: "noninteractive", TMPDIR: dirname(into) },
      onLine: (line) => {
        const phase = phases.find(([pattern]) => pattern.test(line));
        if (phase) onProgress(phase[1], phase[2]);
      },
    },
  );
  onProgress(90, "adding Deno, Node and npm");
  await addUser(into, options);
  await addDeno(join(into, "usr/bin/deno"), programs.deno.path);
  await Deno.copyFile(programs.node.path, join(into, "usr/local/bin/node"));
  await Deno.chmod(join(into, "usr/local/bin/node"), 0o755);
  await addNpm(into, programs.npm.path, options);
  await cleanTree(into);
  onProgress(100, "the base tree is complete");
}

async function addDeno(target: string, source: string): Promise<void> {
  try {
    await Deno.writeFile(target, prelink(await Deno.readFile(source)));
  } catch (cause) {
    throw new ImageBuildError(`Deno cannot be prelinked: ${(cause as Error).message}`, { cause });
  }
  await Deno.chmod(target, 0o755);
}

async function addUser(root: string, options: BaseTreeOptions): Promise<void> {
  const { name, uid, gid, home, shell } = recipe.user;
  const run = (argv: string[]) => runChild(argv, { timeoutMs: 60_000, signal: options.signal });
  await run(["chroot", root, "groupadd", "--gid", `${gid}`, name]);
  await run([
    "chroot",
    root,
    "useradd",
    ...[
      "--uid",
      `${uid}`,
      "--gid",
      `${gid}`,
      "--create-home",
      "--home-dir",
      home,
      "--shell",
      shell,
    ],
    name,
  ]);
  for (const dir of recipe.writableDirs) {
    await Deno.mkdir(join(root, dir), { recursive: true });
    await Deno.chown(join(root, dir), uid, gid);
  }
}

/** Lays npm out as Node's own archives do, so that `npm install -g npm` replaces it in place. */
async function addNpm(root: string, source: string, options: BaseTreeOptions): Promise<void> {
  const modules = join(root, "usr/local/lib/node_modules");
  await Deno.mkdir(modules, { recursive: true });
  const target = join(modules, "npm");
  await runChild(["cp", "-rL", "--no-preserve=ownership", source, target], {
    timeoutMs: 60_000,
    signal: options.signal,
  });
  for (const dir of ["man", "docs"]) await Deno.remove(join(target, dir), { recursive: true });
  for (const [name, script] of [["npm", "npm-cli.js"], ["npx", "npx-cli.js"]] as const) {
    await Deno.chmod(join(target, "bin", script), 0o755);
    await Deno.symlink(
      `../lib/node_modules/${basename(target)}/bin/${script}`,
      join(root, "usr/local/bin", name),
    );
  }
}
