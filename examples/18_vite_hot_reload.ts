// Shows: a Vite dev server in a sandbox; what an editor changes reaches an open page by hot reload.
import { Sandbox } from "@paddock/sandbox";

await using sandbox = await Sandbox.create({ memoryMb: 1024 });

await sandbox.writeTextFile("package.json", `{ "private": true, "type": "module" }`);
// Vite answers only to names it knows: every preview URL ends like this, on this host.
await sandbox.writeTextFile(
  "vite.config.js",
  `export default { server: { port: 5173, allowedHosts: [".sandbox.localhost"] } };`,
);
await sandbox.writeTextFile("index.html", `<script type="module" src="/main.js"></script>`);
await sandbox.writeTextFile(
  "main.js",
  `document.title = "one"; import.meta.hot.accept(() => {});`,
);
await sandbox.sh`npm install --no-audit --no-fund vite@7`.stdout("null").stderr("null");
await using vite = await sandbox.spawn("npx", { args: ["vite"], stdout: "null" });

// Vite listens on the sandbox's loopback address, as dev servers do: reachable all the same.
const url = await sandbox.exposeHttp({ port: 5173 });
console.log("public URL:", url);
const page = await (await fetch(url)).text();
console.log("the page loads Vite's client:", page.includes("/@vite/client"));

// What a browser does: it opens a WebSocket at the same address, and is told of changes.
const client = await (await fetch(`${url}/@vite/client`)).text();
const token = /wsToken = "([^"]+)"/.exec(client)?.[1];
const socket = new WebSocket(`${url.replace("https:", "wss:")}/?token=${token}`, "vite-hmr");
const messages: string[] = [];
const changed = new Promise<void>((resolve, reject) => {
  socket.onerror = () => reject(new Error("the WebSocket cannot be opened"));
  socket.onmessage = async ({ data }) => {
    const { type, updates } = JSON.parse(data);
    messages.push(type);
    if (type === "update") {
      console.log("hot update of", updates[0].path);
      resolve();
    }
    // Connected: the module that the page shows is edited.
    if (type === "connected") {
      await fetch(`${url}/main.js`);
      await sandbox.writeTextFile(
        "main.js",
        `document.title = "two"; import.meta.hot.accept(() => {});`,
      );
    }
  };
});
await changed;
socket.close();
console.log("messages:", messages.filter((type) => type !== "ping").join(", "));
await vite.kill();
