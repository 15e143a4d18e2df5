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

/** Both guest programs, each as one file. The same sources give the same bytes. */
export async function bundleAgent(signal?: AbortSignal): Promise<AgentBundle> {
  const result = await esbuild.build({
    entryPoints: { agent: here("./main.ts"), repl: here("./repl_main.ts") },
    bundle: true,
    write: false,
    outdir: "/opt/paddock",
    absWorkingDir: here("../.."),
    nodePaths: [here("../../node_modules")],
    format: "esm",
    platform: "node",
    target: "esnext",
    // Names stay readable in a guest's stack traces; blanks and comments only cost start-up time.
    minifyWhitespace: true,
    minifySyntax: true,
    legalComments: "none",
    logLevel: "silent",
    plugins: [withoutSideEffects],
  });
  signal?.throwIfAborted();
  const contents = (name: string) => {
    const file = result.outputFiles.find(({ path }) => path.endsWith(`/${name}.js`));
    if (!file) throw new Error(`esbuild made no ${name}.js`);
    return file.contents;
  };
  const [agent, repl] = [contents("agent"), contents("repl")];
  const digest = createHash("sha256").update(agent).update("\0").update(repl).digest("hex");
  return { agent, repl, digest };
}
