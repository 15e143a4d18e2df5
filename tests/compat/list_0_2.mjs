// Prints what client 0.2's `Sandbox.list` gives for the labels it made a sandbox with.
import process from "node:process";
import { Sandbox } from "@deno/sandbox";

const mark = crypto.randomUUID();
await using sandbox = await Sandbox.create({ labels: { mark } });
const found = [];
for await (const item of Sandbox.list({ labels: { mark } })) found.push(item);
const everything = [];
for await (const item of Sandbox.list()) everything.push(item);
console.log(`@@${
  JSON.stringify({
    id: sandbox.id,
    found,
    dates: found.every((item) => item.createdAt instanceof Date),
    inAll: everything.some((item) => item.sandboxId === sandbox.id),
    regions: process.env.DENO_AVAILABLE_REGIONS,
  })
}`);
