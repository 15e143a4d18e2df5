import ssh2 from "ssh2";

// A client that asks and does not listen: says when the server no longer reads it.
const [port, username] = Deno.args;
const MOST = 2_000_000;
const MOST_UNSENT_BYTES = 1024 * 1024;
const HELD_UP_MS = 1_500;

const client = new ssh2.Client();
await new Promise<void>((resolve, reject) => {
  client.once("ready", resolve);
  client.once("error", reject);
  client.connect({ host: "127.0.0.1", port: Number(port), username, keepaliveInterval: 0 });
});
const { _sock: socket, _protocol: protocol } = client as unknown as {
  _sock: { pause(): void; writableLength: number };
  _protocol: { ping(): void };
};
socket.pause();
for (let asked = 0; asked < MOST; asked++) {
  protocol.ping();
  const since = Date.now();
  while (socket.writableLength > MOST_UNSENT_BYTES) {
    if (Date.now() - since > HELD_UP_MS) {
      console.log(`held up after ${asked}`);
      Deno.exit();
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
console.log("never held up");
Deno.exit();
