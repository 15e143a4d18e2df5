/** Downloads `path` once, throws the bytes away, and prints how many they were and how long it took. */
import { dial, printResult, readArgument, type Target } from "./target.ts";

export interface DownloadArgument {
  target: Target;
  path: string;
}

export interface DownloadResult {
  bytes: number;
  seconds: number;
}

const { target, path } = readArgument<DownloadArgument>();
const socket = await dial(target);
const started = performance.now();
let head: Buffer | undefined = Buffer.alloc(0);
let length = 0;
let bytes = 0;
socket.on("error", fail);
socket.on("data", (chunk: Buffer) => {
  if (head) {
    head = Buffer.concat([head, chunk]);
    const at = head.indexOf("\r\n\r\n");
    if (at < 0) return;
    const text = head.toString("latin1", 0, at);
    length = Number(/\r\ncontent-length: *(\d+)/i.exec(text)?.[1]);
    if (!text.startsWith("HTTP/1.1 200") || !length) return fail(new Error(text));
    bytes = head.length - at - 4;
    head = undefined;
  } else bytes += chunk.length;
  if (bytes < length) return;
  printResult({ bytes, seconds: (performance.now() - started) / 1000 } satisfies DownloadResult);
  process.exit(0);
});
socket.on("close", () => fail(new Error(`closed after ${bytes} of ${length} bytes`)));
socket.write(`GET ${path} HTTP/1.1\r\nhost: ${target.authority}\r\naccept: */*\r\n\r\n`);

function fail(error: Error): void {
  console.error(error);
  process.exit(1);
}
