import assert from "node:assert/strict";
import { Client, type Sandbox } from "@paddock/sandbox";
import { startServer, until } from "../harness.ts";
import { seen, startBrowser, withPicture } from "./browser.ts";

const folder = "/home/app/site";

const project: Record<string, string> = {
  "package.json": JSON.stringify({ private: true, type: "module" }),
  // Vite refuses names that it was not told of; the leading dot stands for every preview URL.
  "vite.config.js": `export default {
  server: { port: 5173, strictPort: true, allowedHosts: [".sandbox.localhost"] },
};
`,
  "index.html": `<!doctype html>
<title>Vite in a sandbox</title>
<h1 id="greeting"></h1>
<script type="module" src="/main.js"></script>
`,
  "main.js": `import { greeting } from "./greeting.js";
import "./style.css";
const show = (text) => document.querySelector("#greeting").textContent = text;
show(greeting);
import.meta.hot.accept("./greeting.js", (changed) => show(changed.greeting));
`,
  "greeting.js": `export const greeting = "hello from a sandbox";\n`,
  "style.css": `h1 { color: rgb(200, 30, 30); }\n`,
};

async function sh(sandbox: Sandbox, script: string): Promise<void> {
  const child = await sandbox.spawn("bash", {
    args: ["-c", script],
    cwd: folder,
    stdout: "piped",
    stderr: "piped",
  });
  const { stdout, stderr, status } = await child.output();
  const text = (bytes: Uint8Array | null) => new TextDecoder().decode(bytes ?? undefined);
  assert(status.success, `${script}\n${text(stdout)}${text(stderr)}`);
}

Deno.test("a Vite dev server behind a preview URL reloads what changed, not the page", async (t) => {
  await using server = await startServer();
  const client = new Client({ endpoint: server.api, token: server.token });
  await using sandbox = await client.sandboxes.create({ memoryMb: 1024, timeout: "15m" });
  await sandbox.fs.mkdir(folder, { recursive: true });
  for (const [name, text] of Object.entries(project)) {
    await sandbox.fs.writeTextFile(`${folder}/${name}`, text);
  }
  await sh(sandbox, "npm install --no-audit --no-fund vite@7");
  await using vite = await sandbox.spawn("npx", { args: ["vite"], cwd: folder, stdout: "piped" });
  let said = "";
  void (async () => {
    for await (const text of vite.stdout!.pipeThrough(new TextDecoderStream())) said += text;
  })().catch(() => {});
  await until(`Vite to listen, it said: ${said}`, 60_000, () => /Local:/.test(said));
  // It listens on the guest's loopback address only, as dev servers do.
  const url = await sandbox.exposeHttp({ port: 5173 });

  await using browser = await startBrowser(server);
  const view = await browser.open(url);
  const color = () => view.page.evaluate("getComputedStyle(document.querySelector('h1')).color");
  await withPicture(view, "vite", async () => {
    await t.step("the page is there", async () => {
      await seen(view, /hello from a sandbox/, "#greeting");
      assert.equal(await color(), "rgb(200, 30, 30)");
    });
    await view.page.evaluate("globalThis.sameDocument = true");
    await t.step("a module that changed is replaced in the page that is open", async () => {
      // Again now and then: what is written while the watcher settles is not seen by it.
      const change = () =>
        sandbox.fs.writeTextFile(
          `${folder}/greeting.js`,
          `export const greeting = "changed while you looked"; // ${Date.now()}\n`,
        );
      await change();
      const again = setInterval(() => change().catch(() => {}), 15_000);
      try {
        await seen(view, /changed while you looked/, "#greeting");
      } finally {
        clearInterval(again);
      }
      assert.equal(await view.page.evaluate("globalThis.sameDocument"), true);
    });
    await t.step("and so is a style", async () => {
      await sandbox.fs.writeTextFile(`${folder}/style.css`, "h1 { color: rgb(30, 30, 200); }\n");
      await until("the other color", 20_000, async () => await color() === "rgb(30, 30, 200)");
      assert.equal(await view.page.evaluate("globalThis.sameDocument"), true);
    });
    assert.deepEqual(view.closedWebSockets, []);
  });
  await vite.kill();
});
