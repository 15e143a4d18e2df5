// A program of a user, with a published client: makes a sandbox, says its id, and stays.
// argv: path of the client's entry; "idle", or "upload" to send what the guest never reads.
const { Sandbox } = await import(process.argv[2]);
const sandbox = await Sandbox.create();
console.log(sandbox.id);
if (process.argv[3] === "upload") {
  const child = await sandbox.spawn("sleep", { args: ["1000"], stdin: "piped" });
  const writer = child.stdin.getWriter();
  const chunk = new Uint8Array(1 << 20);
  for (let sent = 0;; sent++) {
    await writer.write(chunk);
    if (sent === 64) console.log("sent");
    // The client holds no flow control: without a breath its own memory would fill.
    await new Promise((again) => setTimeout(again, 5));
  }
}
setInterval(() => {}, 1000);
