import { strict as assert } from "node:assert";
import { beginCheckpoint } from "./begin_checkpoint.ts";
import type { AroundStandstill } from "./engine.ts";

const signal = new AbortController().signal;
const directory = "/no/such/directory";

Deno.test("a checkpoint has begun when the machine is about to be written, not before", async () => {
  const order: string[] = [];
  const write = Promise.withResolvers<void>();
  const around: AroundStandstill = async (work) => {
    order.push("clients are asked to come back");
    const done = await work();
    order.push("clients come back");
    return done;
  };
  const sandbox = {
    async checkpoint(path: string, _signal: AbortSignal, around: AroundStandstill) {
      assert.equal(path, directory);
      return await around(async () => {
        order.push("written");
        await write.promise;
        return { token: "secret" };
      });
    },
  };
  const { written } = await beginCheckpoint(sandbox, { directory, around }, signal);
  assert.deepEqual(order, ["clients are asked to come back", "written"]);
  write.resolve();
  assert.deepEqual(await written, { token: "secret" });
  assert.equal(order.at(-1), "clients come back");
});

Deno.test("one that is refused has not begun; one that fails later has", async () => {
  const refusing = { checkpoint: () => Promise.reject(new Error("it has volumes")) };
  await assert.rejects(beginCheckpoint(refusing, { directory }, signal), /it has volumes/);
  const failing = {
    checkpoint: (_path: string, _signal: AbortSignal, around: AroundStandstill) =>
      around(() => new Promise<never>((_, reject) => setTimeout(() => reject(new Error("full"))))),
  };
  const { written } = await beginCheckpoint(failing, { directory }, signal);
  await assert.rejects(written, /full/);
});
