import assert from "node:assert/strict";

/** The `vscode` method: an editor whose page this program asks for as a browser would. */
export async function vscode({ sandbox, check, fs, isV2 }) {
  const open = (...args) => isV2 ? sandbox.vscode(...args) : sandbox.exposeVscode(...args);

  await check("vscode: the page, the process, its end", async () => {
    await fs.mkdir("/home/sandbox/project", { recursive: true });
    const editor = await open("/home/sandbox/project", {
      extensions: [],
      env: { SEEN_IN: "the editor" },
      editorSettings: { "editor.fontSize": 15 },
      disableStopButton: true,
    });
    const response = await fetch(editor.url);
    assert.equal(response.status, 200);
    assert.match(await response.text(), /workbench/);
    assert.ok(editor.stdout instanceof ReadableStream && editor.stderr instanceof ReadableStream);
    await editor.kill();
    const status = await editor.status;
    assert.equal(typeof status.success, "boolean");
    const after = await fetch(editor.url);
    assert.equal(after.status, 502);
    await after.body.cancel();
  });
  await check("vscode: a path it refuses", async () => {
    await assert.rejects(open("/"), TypeError);
  });
}
