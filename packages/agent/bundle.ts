import { createHash } from "node:crypto";
import { fileURLToPath } from "node:url";
import * as esbuild from "esbuild";

export interface AgentBundle {
  /** The program that serves the protocol: `/opt/paddock/agent.js`. */
  agent: Uint8Array;
  /** The program of a REPL process: `/opt/paddock/repl.js`. */
  repl: Uint8Array;
  /** SHA-256 of both, for whoever caches what is built from them. */
  digest: string;
}

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** Only what is used is bundled: no module here does anything by being imported but the entries. */
const withoutSideEffects: esbuild.Plugin = {
  name: "workspace",
  setup(build) {
    build.onResolve({ filter: /^@paddock\/protocol$/ }, () => ({
      path: here("../protocol/mod.ts"),
      sideEffects: false,
    }));
    build.onResolve(
      { filter: /^\.\.?\// },
      ({ path, resolveDir, kind }) =>
        kind === "entry-point" || !/packages\/(?:protocol|agent)(?:\/|$)/.test(resolveDir)
          ? undefined
          : { path: fileURLToPath(new URL(path, `file://${resolveDir}/`)), sideEffects: false },
    );
  },
};

let bundling: Promise<AgentBundle> | undefined;

/** Both guest programs, each as one file. The same sources give the same bytes. */
export async function bundleAgent(signal?: AbortSignal): Promise<AgentBundle> {
  // Shared by callers at the same time: stopping the bundler would fail another one's build.
  bundling ??= bundleBoth().finally(() => bundling = undefined);
  const bundle = await bundling;
  signal?.throwIfAborted();
  return bundle;
}

async function bundleBoth(): Promise<AgentBundle> {
  try {
    const [agent, repl] = await Promise.all([
      // Libraries that find a `process` look further, and so make Deno load all it has of Node.
      build("main.ts", { process: "undefined" }),
      build("repl_main.ts", {}),
    ]);
    const digest = createHash("sha256").update(agent).update("\0").update(repl).digest("hex");
    return { agent, repl, digest };
  } finally {
    // Its process would stay for as long as the daemon does.
    await esbuild.stop();
  }
}

/**
 * One program as one file. Deno reads every module with a parser of its own before it runs it, which
 * in a guest takes longer than all else that happens at a start, and leaves megabytes behind. So the
 * module is one call with a text, and the text is the program.
 */
async function build(name: string, define: Record<string, string>): Promise<Uint8Array> {
  const { outputFiles: [file] } = await esbuild.build({
    entryPoints: [here(`./${name}`)],
    bundle: true,
    write: false,
    absWorkingDir: here("../.."),
    nodePaths: [here("../../node_modules")],
    format: "iife",
    platform: "node",
    target: "esnext",
    define: { "import.meta.dirname": "directory", ...define },
    // Names stay readable in a guest's stack traces; blanks and comments only cost start-up time.
    minifyWhitespace: true,
    minifySyntax: true,
    legalComments: "none",
    logLevel: "silent",
    plugins: [withoutSideEffects],
  });
  const program = `(function(require,directory){"use strict";${file.text}})\n` +
    `//# sourceURL=paddock:${name.replace(/ts$/, "js")}`;
  return new TextEncoder().encode(
    `(0,eval)(${JSON.stringify(program)})(` +
      "(name)=>process.getBuiltinModule(name),import.meta.dirname);\n",
  );
}
