import { PaddockError } from "@paddock/protocol";
import type { Config, StartOptions } from "@paddock/server";
import { ensureVscodeLayer, layersDirectory } from "../../images/vscode_layer.ts";

type VscodeSupport = NonNullable<StartOptions["vscode"]>;

/**
 * What a node needs to know of VS Code: the directory of layers that its sandboxes see, and how VS
 * Code gets into it. `signal` ends an installation; a caller's ends that caller's wait alone.
 */
export async function vscodeSupport(
  config: Pick<Config, "dataDir" | "limits">,
  signal: AbortSignal,
): Promise<VscodeSupport> {
  const { dataDir } = config;
  const waitMs = config.limits.vscodePrepareMs;
  let installing: Promise<unknown> | undefined;
  return {
    layers: await layersDirectory(dataDir),
    async prepare(caller) {
      installing ??= ensureVscodeLayer({ dataDir, signal });
      const mine = installing;
      const givenUp = Promise.withResolvers<never>();
      const abort = () => givenUp.reject(caller.reason);
      const timer = setTimeout(() => givenUp.reject(stillInstalling(waitMs)), waitMs);
      caller.addEventListener("abort", abort, { once: true });
      try {
        await Promise.race([mine.catch((cause) => failed(cause)), givenUp.promise]);
      } catch (error) {
        // The next caller tries again, unless it is still under way.
        const over = await Promise.race([
          mine.then(() => true, () => true),
          Promise.resolve(false),
        ]);
        if (over && installing === mine) installing = undefined;
        throw error;
      } finally {
        clearTimeout(timer);
        caller.removeEventListener("abort", abort);
      }
    },
  };
}

function failed(cause: unknown): never {
  throw new PaddockError("VSCODE_NOT_READY", {
    message: "VS Code could not be installed on this Paddock; the server's log says why.",
    cause,
  });
}

function stillInstalling(waitMs: number): PaddockError {
  return new PaddockError("VSCODE_NOT_READY", {
    message: `This Paddock is still installing VS Code after ${waitMs / 1000} s.`,
    hint: "Try again in a minute.",
  });
}
