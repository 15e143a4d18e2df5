import { denoPath, root } from "./paths.mjs";
import { runProgram } from "./run_program.mjs";
import { SetupError } from "./setup_error.mjs";

/** Builds the guest image unless the data directory has it: images/ knows its own inputs. */
export function buildGuestImage({ host, progress, signal }) {
  return runBuilder("images/main.ts", "the guest image", { host, progress, signal });
}

/** Runs a program of images/ that says in lines of JSON how far it is. False: it was built already. */
export async function runBuilder(script, what, { host, progress, signal }) {
  let built = false;
  await runProgram(denoPath, ["run", "-A", script], {
    cwd: root,
    env: { ...process.env, NO_COLOR: "1" },
    timeoutMs: 30 * 60_000,
    signal,
    what: `building ${what}`,
    onLine: (line) => {
      const report = parseReport(line);
      if (report?.percent === undefined) return report !== undefined;
      built = true;
      progress.update(report.percent, report.what);
      return true;
    },
  }).catch((error) => {
    if (host.isRoot || error.message.includes("needs root")) throw error;
    throw new SetupError(`${error.message}\nBuilding ${what} needs root.`);
  });
  return built;
}

export function parseReport(line) {
  if (!line.startsWith("{")) return undefined;
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
