import assert from "node:assert/strict";
import { Admission, type Place } from "./admission.ts";

function tcp(hostname: string, port = 4270): Deno.NetAddr {
  return { transport: "tcp", hostname, port };
}

const own = tcp("10.201.0.2");
const host = tcp("10.201.0.1", 50_000);

function enterAll(admission: Admission, remote: Deno.Addr, local: Deno.Addr): Place[] {
  const places: Place[] = [];
  for (let place; (place = admission.enter(remote, local));) {
    places.push(place);
    assert.ok(places.length < 10_000, "there is no bound");
  }
  return places;
}

Deno.test("guest programs that wait do not take the host's places, from whichever address", () => {
  const admission = new Admission();
  const loopback = enterAll(admission, tcp("127.0.0.1", 5), tcp("127.0.0.1"));
  assert.ok(loopback.length > 0 && loopback.length < 100);
  for (const address of ["127.9.9.9", "::1", "::ffff:127.0.0.1", "10.201.0.2"]) {
    assert.equal(admission.enter(tcp(address, 5), own), undefined, address);
  }
  const place = admission.enter(host, own);
  assert.ok(place?.confirm());
  loopback[0][Symbol.dispose]();
  loopback[0][Symbol.dispose]();
  assert.equal(enterAll(admission, tcp("127.0.0.1", 5), tcp("127.0.0.1")).length, 1);
});

Deno.test("who has shown the token no longer waits, and is counted until it leaves", () => {
  const admission = new Admission();
  const waiting = enterAll(admission, host, own);
  assert.ok(waiting.every((place) => place.confirm()));
  const behind = enterAll(admission, host, own);
  assert.equal(behind.length, waiting.length);
  for (const place of [...waiting, ...behind]) place[Symbol.dispose]();

  const known: Place[] = [];
  let late: Place | undefined;
  while ((late = admission.enter(host, own))?.confirm()) {
    known.push(late);
    assert.ok(known.length < 10_000, "there is no bound");
  }
  assert.ok(known.length >= waiting.length);
  known[0][Symbol.dispose]();
  assert.equal(late?.confirm(), true);
  assert.equal(admission.enter(host, own)?.confirm(), false);
});
