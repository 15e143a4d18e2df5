"use strict";
// Starts code-server in one process: its own entry point keeps a second one beside it for restarts that
// a sandbox does not make. Says in one line of JSON where it listens, and loads VS Code right then, not
// when the first page is asked for.
const started = performance.now();
const { join } = require("node:path");

// It is bundled to where code-server's own programs are, and they look for their files from there.
const codeServer = join(__dirname, "../..");
const { createReadStream, statSync } = require("node:fs");
const { get } = require("node:http");
process.env.CODE_SERVER_PARENT_PID = String(process.pid);
process.env.PADDOCK_VSCODE_PID = String(process.pid);
const { parse, setDefaults } = require("./cli");
const { runCodeServer } = require("./main");
const { wrapper } = require("./wrapper");

/** How long it may take to end tidily. */
const endMs = 500;

const types = { js: "text/javascript", css: "text/css" };

async function start() {
  const args = await setDefaults(parse(process.argv.slice(2)), undefined);
  wrapper.preventExit();
  const { server, dispose } = await runCodeServer(args);
  wrapper.onDispose(() => {
    // Connections that the gateway keeps would hold up the end.
    server.closeAllConnections();
    setTimeout(() => wrapper.exit(0), endMs);
    return dispose();
  });
  serveCompressed(server);
  const { port } = server.address();
  process.stdout.write(`${JSON.stringify({ paddockVscode: { port } })}\n`);
  await new Promise((resolve) => {
    const request = get({ host: "127.0.0.1", port, path: "/?ew=true" });
    request.on("error", resolve);
    request.on("response", (answer) => answer.resume().on("close", resolve));
  });
  console.log(`loaded after ${Math.round(performance.now() - started)} ms`);
}

/**
 * The large files of the page are compressed in the layer. Code-server would compress them for each
 * page anew, which is more work than all the rest of it.
 */
function serveCompressed(http) {
  const [others] = http.listeners("request");
  http.removeListener("request", others);
  http.on("request", (request, response) => {
    if (!sendCompressed(request, response)) others(request, response);
  });
}

function sendCompressed(request, response) {
  // The name holds VS Code's commit, so that what it stands for never changes.
  const match =
    /^\/(?:stable|oss)-[0-9a-f]+\/static\/(out\/vs\/[\w./-]+\.(js|css)|out\/nls\.messages\.js)$/
      .exec(request.url);
  if (!match || request.method !== "GET" || match[1].includes("..")) return false;
  if (!/\bgzip\b/.test(request.headers["accept-encoding"] ?? "")) return false;
  const path = join(codeServer, "lib/vscode", `${match[1]}.gz`);
  let size;
  try {
    ({ size } = statSync(path));
  } catch {
    return false;
  }
  response.writeHead(200, {
    "Content-Type": types[match[2] ?? "js"],
    "Content-Encoding": "gzip",
    "Content-Length": size,
    "Cache-Control": "public, max-age=31536000, immutable",
    Vary: "Accept-Encoding",
  });
  createReadStream(path, { highWaterMark: 1024 * 1024 }).pipe(response);
  return true;
}

start().catch((error) => {
  console.error(error);
  wrapper.exit(1);
});
