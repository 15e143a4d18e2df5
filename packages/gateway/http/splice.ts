import type { Socket } from "node:net";
import { countSplicedBytes } from "@paddock/driver";
import { hold, release } from "./flow.ts";

/** How long a side may take to finish once the other has. */
const LINGER_MS = 10_000;

/** Joins two connections byte for byte, until both are done. What one sends waits for the other. */
export function splice(left: Socket, right: Socket): void {
  join(left, right);
  join(right, left);
  release(left);
  release(right);
  // What closed before the listeners were on does not say so again.
  if (left.destroyed) right.destroy();
  if (right.destroyed) left.destroy();
}

function join(from: Socket, to: Socket): void {
  from.on("data", (chunk) => {
    countSplicedBytes(chunk.length);
    if (!to.write(chunk)) hold(from);
  });
  to.on("drain", () => release(from));
  from.on("end", () => {
    to.end();
    const timer = setTimeout(() => to.destroy(), LINGER_MS);
    to.once("close", () => clearTimeout(timer));
  });
  from.on("error", () => to.destroy());
  from.on("close", () => to.destroy());
}
