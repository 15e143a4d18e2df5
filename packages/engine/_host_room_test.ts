import assert from "node:assert/strict";
import { defaultLimits, type PaddockError } from "@paddock/protocol";
import { refuseWithoutRoom } from "./_host_room.ts";

const GiB = 1024 ** 3;
const has = (diskBytes: number, memoryBytes: number, threads = 30_000) => () =>
  Promise.resolve({ diskBytes, memoryBytes, threads });

Deno.test("a host with enough disk and memory left takes another sandbox", async () => {
  await refuseWithoutRoom("/", defaultLimits, has(100 * GiB, 8 * GiB));
});

Deno.test("a host short of disk refuses, naming the limit", async () => {
  await assert.rejects(
    refuseWithoutRoom("/", defaultLimits, has(defaultLimits.hostFreeDiskBytes - 1, 8 * GiB)),
    (error: PaddockError) =>
      error.code === "CAPACITY_EXHAUSTED" && /limits\.hostFreeDiskBytes/.test(error.message),
  );
});

Deno.test("a host short of memory refuses, naming the limit", async () => {
  await assert.rejects(
    refuseWithoutRoom("/", defaultLimits, has(100 * GiB, 1)),
    (error: PaddockError) =>
      error.code === "CAPACITY_EXHAUSTED" && /limits\.hostFreeMemoryMb/.test(error.message),
  );
});

Deno.test("a host that can start few threads refuses, naming the limit", async () => {
  await assert.rejects(
    refuseWithoutRoom("/", defaultLimits, has(100 * GiB, 8 * GiB, 100)),
    (error: PaddockError) =>
      error.code === "CAPACITY_EXHAUSTED" && /100 .*limits\.hostFreeThreads/.test(error.message),
  );
});

Deno.test("what is left is read from the host", async () => {
  const none = { hostFreeDiskBytes: 0, hostFreeMemoryMb: 0, hostFreeThreads: 0 };
  await refuseWithoutRoom("/", none);
  await assert.rejects(
    refuseWithoutRoom("/", { ...none, hostFreeDiskBytes: Number.MAX_SAFE_INTEGER }),
    /of disk left/,
  );
  await assert.rejects(refuseWithoutRoom("/", { ...none, hostFreeMemoryMb: 2 ** 40 }), /memory/);
  await assert.rejects(
    refuseWithoutRoom("/", { ...none, hostFreeThreads: 2 ** 30 }),
    /can start \d{3,} more threads/,
  );
});
