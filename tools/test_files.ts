import { walk } from "./walk.ts";

/**
 * Which tests run when follows from names:
 *   packages|images|tools/…/x_test.ts          unit: quick, needs neither root nor a sandbox
 *   packages|images|tools/…/x_machine_test.ts  machine: needs root, runsc, the guest image
 *   tests/…/x_test.ts                          system: whole servers and published clients
 */
export type TestKind = "unit" | "machine" | "system";

const folders: Record<TestKind, string[]> = {
  unit: ["packages", "images", "tools", "bench"],
  machine: ["packages", "images", "tools", "bench"],
  system: ["tests"],
};

export async function findTestFiles(kind: TestKind): Promise<string[]> {
  const found: string[] = [];
  for (const folder of folders[kind]) {
    for await (const path of walk(folder)) if (isOfKind(path, kind)) found.push(path);
  }
  return found.sort();
}

export function isOfKind(path: string, kind: TestKind): boolean {
  if (!path.endsWith("_test.ts")) return false;
  return kind === "system" || path.endsWith("_machine_test.ts") === (kind === "machine");
}
