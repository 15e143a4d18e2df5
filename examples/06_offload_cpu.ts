// Shows: a heavy computation is split over several sandboxes that work in parallel.
import { Sandbox } from "@paddock/sandbox";

const limit = 4_000_000;
const workers = 4;

const countPrimes = `(from, to) => {
  let count = 0;
  next: for (let n = Math.max(from, 2); n < to; n++) {
    for (let d = 2; d * d <= n; d++) if (n % d === 0) continue next;
    count++;
  }
  return count;
}`;

const parts = await Promise.all(
  Array.from({ length: workers }, async (_, index) => {
    await using sandbox = await Sandbox.create();
    await using repl = await sandbox.deno.repl();
    const from = index * limit / workers;
    const to = from + limit / workers;
    const started = performance.now();
    const count = await repl.call<number>(countPrimes, from, to);
    console.log(
      `${from} to ${to}: ${count} primes in ${Math.round(performance.now() - started)} ms`,
    );
    return count;
  }),
);

const total = parts.reduce((sum, count) => sum + count, 0);
console.log(`primes below ${limit}: ${total}`);
if (total !== 283_146) throw new Error("there are 283146 of them");
