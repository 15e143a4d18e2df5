import { fileURLToPath } from "node:url";

/** A path in the sandbox, or here, as text. */
export function toPath(path: string | URL): string {
  return typeof path === "string" ? path : fileURLToPath(path);
}
