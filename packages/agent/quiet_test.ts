import assert from "node:assert/strict";
import { Quiet } from "./quiet.ts";

const delay = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

Deno.test("it acts once after the work, not while there is some, and again after more", async () => {
  let acted = 0;
  const quiet = new Quiet(() => acted++, 100);
  await delay(250);
  assert.equal(acted, 0);
  const working = setInterval(() => quiet.worked(), 10);
  await delay(400);
  assert.equal(acted, 0);
  clearInterval(working);
  await delay(600);
  assert.equal(acted, 1);
  quiet.worked();
  await delay(600);
  assert.equal(acted, 2);
  quiet.worked();
  quiet.stop();
  await delay(300);
  assert.equal(acted, 2);
});
