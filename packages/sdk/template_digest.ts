import type { CheckedTemplateDefinition } from "@paddock/protocol";
import { createHash } from "node:crypto";
import { localChunkBytes } from "./_defaults.ts";
import { LocalTreeSource } from "./local_tree_source.ts";
import type { TemplateFile } from "./template_files.ts";
import { TransferMeter } from "./transfer_meter.ts";

/** Raised when the same definition is built in another way than before. */
const BUILDER = 1;

/** SHA-256 of all that a template is built from and that is here; what is the same need not be built again. */
export async function templateDigest(
  definition: CheckedTemplateDefinition,
  files: readonly TemplateFile[],
  baseId: string | undefined,
  signal: AbortSignal,
): Promise<string> {
  // How it is called, and how long it may take, changes nothing in it.
  const { name: _, timeoutSeconds: __, ...content } = definition;
  const trees: string[] = [];
  for (const { local } of files) trees.push(await treeDigest(local, signal));
  const text = JSON.stringify(sorted({ builder: BUILDER, content, trees, baseId }));
  return createHash("sha256").update(text).digest("hex");
}

/** Of what an upload of it would send. */
async function treeDigest(path: string, signal: AbortSignal): Promise<string> {
  const source = new LocalTreeSource(path, new TransferMeter(undefined), signal);
  const hash = createHash("sha256");
  const buffer = new Uint8Array(localChunkBytes);
  try {
    for (let entry = await source.next(); entry; entry = await source.next()) {
      hash.update(`${JSON.stringify(entry)}\n`);
      if (entry.type !== "file") continue;
      for (let read; (read = await source.read(buffer)) > 0;) hash.update(buffer.subarray(0, read));
    }
  } finally {
    await source.close();
  }
  return hash.digest("hex");
}

/** The same for objects that differ in the order of their keys alone. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  return Object.entries(value).sort(([one], [other]) => one < other ? -1 : 1)
    .map(([key, inner]) => [key, sorted(inner)]);
}
