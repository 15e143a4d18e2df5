import { runBuilder } from "./guest_image.mjs";

/** Builds the layer with VS Code unless the data directory has it. */
export function buildVscodeLayer({ host, progress, signal }) {
  return runBuilder("images/vscode_main.ts", "VS Code", { host, progress, signal });
}
