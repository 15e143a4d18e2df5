import { fileURLToPath } from "node:url";

/** The folder that holds packages/, images/ and node_modules/. */
export const repositoryRoot: string = fileURLToPath(new URL("../", import.meta.url));
