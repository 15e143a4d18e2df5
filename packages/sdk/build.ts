/**
 * Makes dist/: `mod.js`, one ES module with everything but npm `ws` in it, and the type declarations,
 * which name nothing outside of dist/ either. Run by tools/setup: `deno run -A packages/sdk/build.ts`.
 */
import { build } from "esbuild";
import { join } from "node:path";
import { bundleTypes } from "./bundle_types.ts";

const folder = import.meta.dirname!;
const packages = join(folder, "..");

/** Builds beside `dist` and puts the result in its place: programs never see half of it. */
export async function buildSdk(dist: string): Promise<void> {
  const staging = `${dist}.${Deno.pid}`;
  try {
    await Promise.all([bundleCode(join(staging, "mod.js")), declareTypes(staging)]);
    await Deno.remove(dist, { recursive: true }).catch(() => {});
    await Deno.rename(staging, dist);
  } finally {
    await Deno.remove(staging, { recursive: true }).catch(() => {});
  }
}

async function bundleCode(outfile: string): Promise<void> {
  await build({
    entryPoints: [join(folder, "mod.ts")],
    outfile,
    bundle: true,
    format: "esm",
    platform: "node",
    target: "es2022",
    external: ["ws"],
    legalComments: "none",
    logLevel: "error",
    alias: { "@paddock/protocol": join(packages, "protocol", "mod.ts") },
  });
}

async function declareTypes(target: string): Promise<void> {
  const work = await Deno.makeTempDir({ prefix: "paddock_types_" });
  try {
    const config = {
      nodeModulesDir: "manual",
      lock: false,
      imports: { "@paddock/protocol": join(packages, "protocol", "mod.ts") },
      compilerOptions: {
        strict: true,
        skipLibCheck: true,
        lib: ["deno.window", "esnext"],
      },
    };
    await Deno.writeTextFile(join(work, "deno.json"), JSON.stringify(config));
    const emitted = join(work, "emit");
    const { success, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        ...["transpile", "--quiet", "--declaration", "-c", join(work, "deno.json")],
        ...["--outdir", emitted, join(folder, "mod.ts")],
      ],
      cwd: packages,
      env: { NO_COLOR: "1" },
    }).output();
    if (!success) throw new Error(new TextDecoder().decode(stderr));
    const types = await bundleTypes(join(emitted, "sdk"), "mod");
    await Deno.mkdir(target, { recursive: true });
    await Deno.writeTextFile(join(target, "mod.d.ts"), types);
  } finally {
    await Deno.remove(work, { recursive: true });
  }
}

if (import.meta.main) await buildSdk(join(folder, "dist"));
