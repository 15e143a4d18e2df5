import assert from "node:assert/strict";
import { CliError } from "../cli_error.ts";
import { checkedAccess } from "./ssh.ts";

const hostname = "ssh.example.com:4222";
const username = "ssh_0123456789abcdefghjkmnpq";

Deno.test("what a server answers is an address for ssh, and never an option or a command", () => {
  for (const good of ["localhost", hostname, "10.0.0.1", "10.0.0.1:22", "[::1]:4222"]) {
    checkedAccess({ hostname: good, username, hostKey: "ssh-ed25519 AAAAC3Nz+/=" });
  }
  for (
    const bad of [
      ...["-oProxyCommand=touch /tmp/owned", "-l", "a b", "$(id)", "`id`", "a;b", "a\x1b[2J", ""],
      ...["a\nb", "a'b", "%r", "a@b", "a/b"],
    ]
  ) {
    assert.throws(() => checkedAccess({ hostname, username: bad }), CliError, bad);
    assert.throws(() => checkedAccess({ hostname: bad, username }), CliError, bad);
  }
  assert.throws(() => checkedAccess({ hostname, username, hostKey: "k\n* other" }), CliError);
});
