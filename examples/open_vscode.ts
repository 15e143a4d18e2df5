// Shows: VS Code on a sandbox's files, in the browser. Not part of the demo: it stays open until stopped.
//
//     deno run -A examples/open_vscode.ts
import { Sandbox } from "@paddock/sandbox";

await using sandbox = await Sandbox.create({ memoryMb: 1024 });
await sandbox.writeTextFile(
  "/home/app/server.ts",
  `Deno.serve({ port: 8000 }, () => new Response("Edit me, and run me again."));\n`,
);
await using server = await sandbox.createJsRuntime({
  entrypoint: "/home/app/server.ts",
  watch: true,
});
if (!await server.httpReady) throw new Error("the server ended before it listened");

const vscode = await sandbox.exposeVscode("/home/app", {
  // Opened beside the editor, through it: the server needs no address of its own.
  preview: "8000",
  env: { GREETING: "hello" },
  editorSettings: { "editor.fontSize": 15 },
});
console.log("open:", vscode.url);
console.log("the button in the status bar, or Ctrl-C here, ends it");
await vscode.status;
