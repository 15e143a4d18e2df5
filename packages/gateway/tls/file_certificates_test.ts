import assert from "node:assert/strict";
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PaddockError } from "@paddock/protocol";
import type { KeyPair } from "./certificate.ts";
import {
  certificateProblems,
  openFileCertificates,
  readCertificateFiles,
} from "./file_certificates.ts";
import { issueCertificate, makeAuthority } from "./issue_certificate.ts";

const DAY_MS = 24 * 60 * 60_000;
const DOMAIN = "preview.example.com";
const authority = await makeAuthority("Test", new Date(Date.now() + 900 * DAY_MS));

function issue(names: string[], days: number): Promise<KeyPair> {
  return issueCertificate(authority, names, new Date(Date.now() + days * DAY_MS));
}

function files(pair: KeyPair): Disposable & { cert: string; key: string } {
  const directory = mkdtempSync(join(tmpdir(), "paddock-files-"));
  const paths = { cert: join(directory, "cert.pem"), key: join(directory, "key.pem") };
  replace(paths, pair);
  return { ...paths, [Symbol.dispose]: () => rmSync(directory, { recursive: true }) };
}

function replace(paths: KeyPair, pair: Partial<KeyPair>): void {
  for (const name of ["cert", "key"] as const) {
    if (pair[name] === undefined) continue;
    writeFileSync(`${paths[name]}.new`, pair[name]);
    renameSync(`${paths[name]}.new`, paths[name]);
  }
}

async function until(what: string, look: () => boolean): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!look()) {
    assert.ok(Date.now() < deadline, `no ${what}`);
    await new Promise((again) => setTimeout(again, 5));
  }
}

Deno.test("files that are replaced are served without a restart; half a replacement is not", async () => {
  const [first, second] = [
    await issue([DOMAIN, `*.${DOMAIN}`], 90),
    await issue([`*.${DOMAIN}`], 90),
  ];
  using paths = files(first);
  const lines: string[] = [];
  const log = {
    info: (message: string) => void lines.push(message),
    warn: (message: string) => void lines.push(message),
    error: (message: string) => void lines.push(message),
  };
  await using certificates = openFileCertificates({
    ...{ cert: paths.cert, key: paths.key, domain: DOMAIN, log, lookEveryMs: 5 },
  });
  assert.equal(certificates.ca, null);
  const before = certificates.secureContextFor(undefined);
  replace(paths, { cert: second.cert });
  await until("warning", () => lines.some((line) => line.includes("the old one goes on")));
  assert.equal(certificates.secureContextFor(`x.${DOMAIN}`), before);
  replace(paths, { key: second.key });
  await until("reload", () => lines.some((line) => line.startsWith("loaded")));
  assert.equal(certificates.defaultPair().cert.trim(), second.cert.trim());
  assert.notEqual(certificates.secureContextFor(`x.${DOMAIN}`), before);
});

Deno.test("files that cannot work stop the start and say why", async () => {
  const [one, two] = [await issue([DOMAIN], 90), await issue([DOMAIN], 90)];
  const cases: [Partial<KeyPair>, RegExp][] = [
    [{ key: two.key }, /the key is not the certificate's/],
    [{ key: "nothing" }, /the private key cannot be read/],
    [{ cert: "nothing" }, /there is no PEM certificate/],
    [{ cert: one.cert.slice(0, 200) }, /there is no PEM certificate/],
    [
      { cert: one.cert.replace(/MII.{20}/, "MIIAAAA") },
      /certificate 1 of the chain cannot be read/,
    ],
  ];
  for (const [harm, message] of cases) {
    using paths = files({ ...one, ...harm });
    assert.throws(() => readCertificateFiles(paths), (error: unknown) => {
      assert.ok(error instanceof PaddockError && error.code === "INVALID_SERVER_CONFIG");
      assert.match(error.message, message);
      return true;
    });
  }
  assert.throws(
    () => readCertificateFiles({ cert: "/nowhere/c", key: "/nowhere/k" }),
    /ENOENT|No such/,
  );
});

Deno.test("what an operator should see to is named", async () => {
  const problems = async (names: string[], days: number, later = 0) => {
    using paths = files(await issue(names, days));
    const certificate = readCertificateFiles(paths);
    return certificateProblems(certificate, DOMAIN, Date.now() + later).join("; ");
  };
  assert.equal(await problems([`*.${DOMAIN}`], 90), "");
  assert.match(await problems([`*.${DOMAIN}`], 10), /^it expires at \d{4}-/);
  assert.match(await problems([`*.${DOMAIN}`], 10, 20 * DAY_MS), /^it expired at/);
  assert.match(await problems([`*.${DOMAIN}`], 90, -DAY_MS), /^it is not valid before/);
  assert.match(
    await problems([DOMAIN, "x.org"], 90),
    /^it is not for \*\.preview.*but for .*x\.org/,
  );
});
