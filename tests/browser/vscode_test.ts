import assert from "node:assert/strict";
import { Client } from "@paddock/sandbox";
import { delay, startServer, until } from "../harness.ts";
import { startBrowser } from "./browser.ts";
import { EditorPage } from "./editor_page.ts";

/** Long enough for any timeout of a minute on the way; `PADDOCK_IDLE_SECONDS=330` looks at longer ones. */
const idleSeconds = Number(Deno.env.get("PADDOCK_IDLE_SECONDS") ?? 75);

Deno.test("VS Code in a browser: files, an edit, a terminal, a preview, and still there after idling", async (t) => {
  await using server = await startServer();
  const client = new Client({ endpoint: server.api, token: server.token });
  await using sandbox = await client.sandboxes.create({ memoryMb: 1024, timeout: "30m" });
  const folder = "/home/app";
  await sandbox.fs.writeTextFile(`${folder}/main.ts`, 'console.log("first");\n');
  await sandbox.fs.writeTextFile(
    `${folder}/server.ts`,
    'Deno.serve({ port: 3000 }, () => new Response("seen in the preview"));\n',
  );
  const site = await sandbox.deno.run({ entrypoint: `${folder}/server.ts` });
  assert.equal(await site.httpReady, true);
  const vscode = await sandbox.exposeVscode(folder, {
    preview: "3000",
    env: { GREETING: "good morning" },
    // A terminal that is drawn with elements is one whose text a test can read.
    editorSettings: { "terminal.integrated.gpuAcceleration": "off" },
  });
  assert.match(vscode.url, /^https:\/\/[0-9a-z]{26}\.sandbox\.localhost:\d+$/);
  await using browser = await startBrowser(server);
  const view = await browser.open(vscode.url);
  const editor = new EditorPage(view);
  const onDisk = (what: RegExp) =>
    until(
      `${what} in main.ts`,
      20_000,
      async () => what.test(await sandbox.fs.readTextFile(`${folder}/main.ts`)),
    );

  await t.step("the editor is drawn, with the folder's files", () => editor.usable("main.ts"));
  await t.step("a file opens, and an edit is saved to the sandbox's disk", async () => {
    await editor.openFile("main.ts");
    await editor.append('console.log("second");');
    await onDisk(/second/);
  });
  // First: it takes the focus when it opens.
  await t.step("the preview is open beside it, through VS Code's own proxy", async () => {
    const frame = await until("the preview's frame", 60_000, async () => {
      for (const frame of view.page.frames()) {
        if (!frame.url().includes("/proxy/3000")) continue;
        const text = await frame.evaluate("document.body.innerText").catch(() => "");
        if (String(text).includes("seen in the preview")) return frame;
      }
    });
    assert(frame);
  });
  await t.step(
    "the terminal runs Deno, as the sandbox's user, with the caller's variables",
    async () => {
      await editor.openTerminal();
      await editor.typeInTerminal("deno --version; whoami; echo $GREETING");
      await editor.terminalShows(/deno 2\.\d+\.\d+/);
      await editor.terminalShows(/^sandbox$/m);
      await editor.terminalShows(/good morning/);
    },
  );
  await t.step(`connected after ${idleSeconds} s in which nobody touched it`, async () => {
    const lost = view.closedWebSockets.length;
    await delay(idleSeconds * 1000);
    assert.deepEqual(view.closedWebSockets.slice(lost), [], "WebSockets that were lost");
    await editor.append('console.log("third");');
    await onDisk(/third/);
    await editor.typeInTerminal("echo still $((40 + 2))");
    await editor.terminalShows(/still 42/);
  });
  await view.screenshot("vscode");
  await t.step("killed, it ends with all it started", async () => {
    await vscode.kill();
    const status = await vscode.status;
    assert.equal(typeof status.code, "number");
    const left = await until("the end of its children", 10_000, async () => {
      const child = await sandbox.spawn("bash", {
        args: ["-c", "ps -eo args | grep -c '[/]opt/paddock/layers' || true"],
        stdout: "piped",
      });
      return (await new Response(child.stdout).text()).trim() === "0";
    });
    assert(left);
  });
});
