import assert from "node:assert/strict";
import { PaddockError } from "@paddock/protocol";
import ssh2 from "ssh2";
import { ensureHostKey, newPrivateKey } from "./host_key.ts";

Deno.test("a host key is made once, for its owner alone", async () => {
  const dataDir = await Deno.makeTempDir({ prefix: "paddock-host-key-" });
  try {
    const made = ensureHostKey(dataDir);
    assert.match(made.publicKey, /^ssh-ed25519 [A-Za-z0-9+/=]{68}$/);
    assert.match(made.fingerprint, /^SHA256:[A-Za-z0-9+/]{43}$/);
    const path = `${dataDir}/gateway/ssh_host_ed25519_key`;
    await Deno.chmod(path, 0o644);
    assert.deepEqual(ensureHostKey(dataDir), made);
    assert.equal((await Deno.stat(path)).mode! & 0o777, 0o600);
    assert.notEqual(ensureHostKey(`${dataDir}/other`).publicKey, made.publicKey);

    await Deno.writeTextFile(path, "not a key");
    assert.throws(
      () => ensureHostKey(dataDir),
      (error) => error instanceof PaddockError && error.code === "INVALID_SERVER_CONFIG",
    );
  } finally {
    await Deno.remove(dataDir, { recursive: true });
  }
});

Deno.test("a key that nobody can read is not kept", () => {
  // As ssh2 1.17 makes them when the public half begins with a zero byte.
  const broken = () => {
    for (;;) {
      const key = ssh2.utils.generateKeyPairSync("ed25519").private;
      if (ssh2.utils.parseKey(key) instanceof Error) return key;
    }
  };
  const whole = newPrivateKey();
  const made = [broken(), broken(), whole];
  assert.equal(newPrivateKey(() => made.shift()!), whole);
  const never = broken();
  assert.throws(() => newPrivateKey(() => never), /No usable SSH host key/);
});
