import assert from "node:assert/strict";
import { findVscodeLayer } from "./layer.ts";

async function layers(): Promise<AsyncDisposable & { path: string }> {
  const path = await Deno.makeTempDir({ prefix: "paddock-layers-" });
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}

async function addLayer(path: string, name: string, manifest: Record<string, unknown>) {
  await Deno.mkdir(`${path}/.new`);
  await Deno.writeTextFile(`${path}/.new/manifest.json`, JSON.stringify(manifest));
  await Deno.rename(`${path}/.new`, `${path}/${name}`);
}

const later = () => AbortSignal.timeout(5_000);

Deno.test("the newest layer of a shape that is known is taken", async () => {
  await using dir = await layers();
  await addLayer(dir.path, "vscode-a", { layout: 3, createdAt: "2026-01-01" });
  await addLayer(dir.path, "vscode-b", { layout: 3, createdAt: "2026-03-01", marketplace: "m" });
  await addLayer(dir.path, "vscode-c", { layout: 9, createdAt: "2026-05-01" });
  await Deno.mkdir(`${dir.path}/vscode-broken`);
  const { path, marketplace } = await findVscodeLayer(later(), dir.path);
  assert.equal(path, `${dir.path}/vscode-b`);
  assert.equal(marketplace, "m");
});

Deno.test("without one, and with none on its way, the answer is at once that there is none", async () => {
  await using dir = await layers();
  await assert.rejects(findVscodeLayer(later(), dir.path), { code: "VSCODE_NOT_READY" });
  await assert.rejects(findVscodeLayer(later(), `${dir.path}/none`), { code: "VSCODE_NOT_READY" });
});

Deno.test("one that is being installed is waited for, and not for ever", async () => {
  await using dir = await layers();
  await Deno.mkdir(`${dir.path}/.tmp-1`);
  const found = findVscodeLayer(later(), dir.path);
  await addLayer(dir.path, "vscode-a", { layout: 3, createdAt: "2026-01-01" });
  assert.equal((await found).path, `${dir.path}/vscode-a`);
  await Deno.remove(`${dir.path}/vscode-a`, { recursive: true });
  const givenUp = findVscodeLayer(AbortSignal.timeout(50), dir.path);
  await assert.rejects(givenUp, { code: "VSCODE_NOT_READY", message: /still installing/ });
});
