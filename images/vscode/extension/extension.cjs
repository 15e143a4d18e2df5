"use strict";
// What a sandbox's editor has besides VS Code: the preview that its caller asked for, and a button that
// ends the editor's process.
const vscode = require("vscode");

exports.activate = (context) => {
  const { PADDOCK_VSCODE_PREVIEW: preview, PADDOCK_VSCODE_STOP_BUTTON: button } = process.env;
  context.subscriptions.push(vscode.commands.registerCommand("paddock.stop", stop));
  if (button === "yes") context.subscriptions.push(stopButton());
  if (preview) void openPreview(preview);
};

function stopButton() {
  const item = vscode.window.createStatusBarItem("paddock.stop", vscode.StatusBarAlignment.Left, 0);
  item.name = "Stop VS Code";
  item.text = "$(debug-stop) Stop VS Code";
  item.tooltip = "Ends this editor. Files that are saved stay in the sandbox.";
  item.command = "paddock.stop";
  item.show();
  return item;
}

async function stop() {
  const answer = await vscode.window.showWarningMessage(
    "Stop VS Code in this sandbox?",
    { modal: true, detail: "Files that are saved stay. This page loses its connection." },
    "Stop",
  );
  if (answer === "Stop") process.kill(Number(process.env.PADDOCK_VSCODE_PID), "SIGTERM");
}

/** A port, or an address; one of the sandbox's own is reached through the editor's. */
async function openPreview(preview) {
  const address = /^\d+$/.test(preview) ? `http://localhost:${preview}` : preview;
  const uri = await vscode.env.asExternalUri(vscode.Uri.parse(address, true));
  await vscode.commands.executeCommand("simpleBrowser.api.open", uri, {
    viewColumn: vscode.ViewColumn.Beside,
    preserveFocus: true,
  });
}
