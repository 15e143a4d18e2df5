import assert from "node:assert/strict";
import { Gate } from "./gate.ts";

const never = new AbortController().signal;

Deno.test("a gate lets so many in, and the next in order as each leaves", async () => {
  const gate = new Gate(2);
  const entered: number[] = [];
  const enter = (n: number) => gate.enter(never).then((key) => (entered.push(n), key));
  const first = await enter(1);
  const second = await enter(2);
  const third = enter(3);
  const fourth = enter(4);
  await Promise.resolve();
  assert.deepEqual(entered, [1, 2]);
  second[Symbol.dispose]();
  second[Symbol.dispose]();
  (await third)[Symbol.dispose]();
  await fourth;
  assert.deepEqual(entered, [1, 2, 3, 4]);
  first[Symbol.dispose]();
});

Deno.test("who gives up while waiting takes no place", async () => {
  const gate = new Gate(1);
  const key = await gate.enter(never);
  const impatient = new AbortController();
  const refused = gate.enter(impatient.signal);
  const patient = gate.enter(never);
  impatient.abort(new Error("gone"));
  await assert.rejects(refused, /gone/);
  key[Symbol.dispose]();
  await patient;
});
