import { PaddockError } from "@paddock/protocol";

/** What suits a sandbox with Deno in it, and asks nothing of a network that may not be there. */
const defaults: Record<string, unknown> = {
  "deno.enable": true,
  "chat.disableAIFeatures": true,
  "extensions.autoCheckUpdates": false,
  "extensions.autoUpdate": false,
  "extensions.ignoreRecommendations": true,
  "git.openRepositoryInParentFolders": "never",
  "security.workspace.trust.enabled": false,
  "telemetry.telemetryLevel": "off",
  "terminal.integrated.defaultProfile.linux": "bash",
  // That of the editor's own programs, which they inherited.
  "terminal.integrated.env.linux": { "NODE_COMPILE_CACHE": null },
  "update.mode": "none",
  "workbench.startupEditor": "none",
  "workbench.secondarySideBar.defaultVisibility": "hidden",
  "workbench.welcomePage.walkthroughs.openOnInstall": false,
};

/** Ours, then those that the sandbox's user has made, then the caller's. */
export function mergeSettings(
  present: Record<string, unknown>,
  asked: Record<string, unknown>,
): Record<string, unknown> {
  return { ...defaults, ...present, ...asked };
}

/** Writes an editor's settings.json. What the user wrote in it that is no plain JSON stays as it is. */
export function writeSettings(
  directory: string,
  asked: unknown,
  warn: (message: string) => void,
): void {
  if (asked !== undefined && !isRecord(asked)) {
    throw new PaddockError("INVALID_PARAMS", {
      message: "editorSettings: expected an object, as in settings.json",
      field: "editorSettings",
    });
  }
  Deno.mkdirSync(directory, { recursive: true });
  const path = `${directory}/settings.json`;
  let present: unknown = {};
  try {
    present = JSON.parse(Deno.readTextFileSync(path));
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) {
      warn(`${path} has comments or cannot be read: it stays as it is`);
      return;
    }
  }
  const merged = mergeSettings(isRecord(present) ? present : {}, asked ?? {});
  Deno.writeTextFileSync(path, JSON.stringify(merged, null, 2) + "\n");
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
