import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TlsConfig } from "../gateway_config.ts";
import { examineCertificates } from "./examine_certificates.ts";
import { issueCertificate, makeAuthority } from "./issue_certificate.ts";
import { openLocalAuthority } from "./local_authority.ts";

const DAY_MS = 24 * 60 * 60_000;
const DOMAIN = "preview.example.com";
const local: TlsConfig = { mode: "local" };

function folder(): Disposable & { path: string } {
  const path = mkdtempSync(join(tmpdir(), "paddock-examine-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true }) };
}

Deno.test("an authority of its own: not there yet, good, near its end, broken", async () => {
  using directory = folder();
  const look = (now?: number) => examineCertificates(local, directory.path, DOMAIN, now);
  assert.equal(look().status, "ok");
  assert.deepEqual(readdirSync(directory.path), [], "looking makes nothing");
  await openLocalAuthority(directory.path);
  assert.match(look().detail, /^authority .*ca\.pem, until 20\d\d-/);
  assert.equal(look(Date.now() + 3_600 * DAY_MS).status, "attention");
  assert.equal(look(Date.now() + 4_000 * DAY_MS).status, "broken");
  rmSync(join(directory.path, "ca-key.pem"));
  assert.equal(look().status, "broken");
});

Deno.test("files: good, for another name, not a pair", async () => {
  using directory = folder();
  const authority = await makeAuthority("Test", new Date(Date.now() + 900 * DAY_MS));
  const end = new Date(Date.now() + 90 * DAY_MS);
  const { cert, key } = await issueCertificate(authority, [`*.${DOMAIN}`], end);
  const tls: TlsConfig = {
    mode: "files",
    cert: join(directory.path, "cert.pem"),
    key: join(directory.path, "key.pem"),
  };
  writeFileSync(tls.cert, cert);
  writeFileSync(tls.key, key);
  const look = (domain = DOMAIN) => examineCertificates(tls, directory.path, domain);
  assert.equal(look().status, "ok");
  assert.match(look("other.org").detail, /it is not for \*\.other\.org/);
  assert.equal(look("other.org").status, "attention");
  writeFileSync(tls.key, authority.key);
  assert.deepEqual([look().status, /not the certificate's/.test(look().detail)], ["broken", true]);
});

Deno.test("ACME: none yet, one, one that has expired", async () => {
  using directory = folder();
  const tls: TlsConfig = {
    mode: "acme",
    directoryUrl: "https://acme.example/directory",
    acceptTerms: true,
    challenge: { type: "http-01" },
  };
  const look = (now?: number) => examineCertificates(tls, directory.path, DOMAIN, now);
  assert.match(look().detail, /no certificate .* yet/);
  const authority = await makeAuthority("Test", new Date(Date.now() + 900 * DAY_MS));
  const { cert, key } = await issueCertificate(
    authority,
    [DOMAIN],
    new Date(Date.now() + 90 * DAY_MS),
  );
  mkdirSync(join(directory.path, "acme"));
  writeFileSync(join(directory.path, "acme", `cert-${DOMAIN}.pem`), key + cert);
  assert.deepEqual([look().status, /^1 by ACME/.test(look().detail)], ["ok", true]);
  assert.match(look(Date.now() + 91 * DAY_MS).detail, /preview\.example\.com expired on/);
});
