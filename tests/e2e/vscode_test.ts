import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { Client, type Sandbox, type VsCode } from "@paddock/sandbox";
import { startServer, type TestServer, until } from "../harness.ts";
import { visit } from "../visitor.ts";

// What VS Code's callers see of it; tests/browser looks at its page.

async function output(sandbox: Sandbox, script: string): Promise<string> {
  const child = await sandbox.spawn("bash", { args: ["-c", script], stdout: "piped" });
  return (await new Response(child.stdout).text()).trim();
}

async function page(server: TestServer, vscode: VsCode): Promise<string> {
  const response = await visit(vscode.url, server.ca!);
  assert.equal(response.status, 200);
  return await response.text();
}

/** The log so far, read on in the background. */
function follow(stream: ReadableStream<Uint8Array>): () => string {
  let text = "";
  void (async () => {
    for await (const part of stream.pipeThrough(new TextDecoderStream())) text += part;
  })().catch(() => {});
  return () => text;
}

Deno.test("VS Code: what it is given, what it says, and how it ends", async (t) => {
  await using server = await startServer();
  const client = new Client({ endpoint: server.api, token: server.token });
  await using sandbox = await client.sandboxes.create({ memoryMb: 1600, timeout: "15m" });

  await t.step("settings, variables and its user are as asked", async () => {
    await using vscode = await sandbox.exposeVscode("/home/app", {
      env: { COLOUR: "green" },
      editorSettings: { "editor.fontSize": 17 },
    });
    assert.match(await page(server, vscode), /vscode-workbench-web-configuration/);
    const settings = "/home/sandbox/.local/share/code-server/User/settings.json";
    const { "editor.fontSize": size, "telemetry.telemetryLevel": telemetry } = JSON.parse(
      await sandbox.fs.readTextFile(settings),
    );
    assert.deepEqual([size, telemetry], [17, "off"]);
    const main = `pid=$(pgrep -f "[s]tart.cjs"); `;
    assert.equal(await output(sandbox, `${main} stat -c %U /proc/$pid`), "sandbox");
    const environ = await output(sandbox, `${main} tr '\\0' '\\n' < /proc/$pid/environ`);
    assert.match(environ, /^COLOUR=green$/m);
    // Nothing of it is reachable but through the gateway.
    const listening = await output(sandbox, `awk '$4 == "0A" {print $2}' /proc/net/tcp`);
    const [loopback, agent] = [/^0100007F:/, /^00000000:10AE$/];
    const kinds = listening.split("\n").map((at) =>
      loopback.test(at) ? "loopback" : agent.test(at) ? "agent" : at
    );
    assert.deepEqual([...new Set(kinds)].sort(), ["agent", "loopback"]);
  });
  await t.step(
    "an extension that cannot be had is a warning, one in a file is installed",
    async () => {
      await output(
        sandbox,
        `mkdir -p /tmp/x/extension && cd /tmp/x &&
       echo '{"name":"greeter","publisher":"acme","version":"1.2.3","engines":{"vscode":"^1.0.0"}}' \
         > extension/package.json &&
       cat > extension.vsixmanifest <<'EOF'
<?xml version="1.0" encoding="utf-8"?>
<PackageManifest Version="2.0.0" xmlns="http://schemas.microsoft.com/developer/vsx-schema/2011">
<Metadata><Identity Language="en-US" Id="greeter" Version="1.2.3" Publisher="acme"/>
<DisplayName>Greeter</DisplayName><Description>-</Description></Metadata>
<Installation><InstallationTarget Id="Microsoft.VisualStudio.Code"/></Installation>
<Assets><Asset Type="Microsoft.VisualStudio.Code.Manifest" Path="extension/package.json"/></Assets>
</PackageManifest>
EOF
       python3 -m zipfile -c /tmp/greeter.vsix extension extension.vsixmanifest`,
      );
      await using vscode = await sandbox.exposeVscode("/home/app", {
        extensions: ["nobody.has-this", "/tmp/greeter.vsix"],
      });
      const said = follow(vscode.stderr);
      await until(
        "the extension's folder",
        60_000,
        async () =>
          (await output(sandbox, "ls /home/sandbox/.local/share/code-server/extensions"))
            .includes("acme.greeter-1.2.3"),
      );
      await until("a warning", 30_000, () => /nobody\.has-this is not installed/.test(said()));
      await page(server, vscode);
    },
  );
  await t.step("two at once have files and addresses of their own", async () => {
    await using one = await sandbox.exposeVscode("/home/app");
    await using two = await sandbox.exposeVscode("/home/sandbox");
    assert.notEqual(one.url, two.url);
    assert.match(await page(server, one), /code-server&quot;/);
    assert.match(await page(server, two), /code-server-2&quot;/);
    await assert.rejects(sandbox.exposeVscode("/home/app", { editorSettings: [] as never }));
    await one.kill();
    await one.status;
    await page(server, two);
  });
  await t.step("killed, it and what it started are gone, and its address says so", async () => {
    const vscode = await sandbox.exposeVscode("/home/app");
    await page(server, vscode);
    await vscode.kill();
    assert.equal((await vscode.status).code, 0);
    assert.equal((await visit(vscode.url, server.ca!)).status, 502);
    await until(
      "the end of all of it",
      10_000,
      async () =>
        await output(sandbox, "ps -eo args | grep -c '[/]opt/paddock/layers' || true") === "0",
    );
  });
  await t.step("a folder or a package that is not there is an error that names it", async () => {
    await assert.rejects(sandbox.exposeVscode("/no/such/folder"), /no\/such\/folder/);
    await assert.rejects(sandbox.exposeVscode("/etc/passwd"), /etc\/passwd/);
    await assert.rejects(
      sandbox.exposeVscode("/home/app", { extensions: ["/no/such.vsix"] }),
      /no\/such\.vsix/,
    );
  });
  await t.step("one that cannot start is an error with the end of its log", async () => {
    // Where its files go there is a file.
    await output(sandbox, "rm -rf ~/.local/share/code-server; touch ~/.local/share/code-server");
    await assert.rejects(sandbox.exposeVscode("/home/app"));
    await output(sandbox, "rm ~/.local/share/code-server");
    await assert.rejects(
      sandbox.exposeVscode("/home/app", { env: { NODE_OPTIONS: "--no-such-flag" } }),
      (error: Error & { code?: string }) => {
        assert.match(error.message, /did not start.*code 9/s);
        assert.match(error.message, /no-such-flag/);
        return true;
      },
    );
    await using again = await sandbox.exposeVscode("/home/app");
    await page(server, again);
  });
});

Deno.test("VS Code is refused where it would not fit, and says so where it is a lighter one", async () => {
  await using server = await startServer();
  const client = new Client({ endpoint: server.api, token: server.token });
  await using small = await client.sandboxes.create({ memoryMb: 256 });
  await assert.rejects(
    small.exposeVscode(),
    /needs a sandbox with 448 MiB of memory, and this one has 256 MiB/,
  );
  await using usual = await client.sandboxes.create();
  await using vscode = await usual.exposeVscode();
  const said = follow(vscode.stderr);
  await until("a note", 10_000, () => /768 MiB or more/.test(said()));
  assert.match(await page(server, vscode), /workbench/);
  await assert.rejects(usual.exposeVscode(), /896 MiB of memory beside the 1 that run/);
});

Deno.test("a host where VS Code cannot be installed says so, and what to do", async () => {
  const dir = await Deno.makeTempDir({ prefix: "paddock-no-npm-" });
  try {
    await writeFile(`${dir}/npmrc`, "registry=http://127.0.0.1:1/\nfetch-retries=0\n");
    // Its layers are hidden from this server alone, and no registry answers.
    const hide = "mkdir -p /var/lib/paddock/layers; mount -t tmpfs tmpfs /var/lib/paddock/layers;";
    await using server = await startServer({
      env: { npm_config_userconfig: `${dir}/npmrc`, npm_config_cache: `${dir}/cache` },
      launcher: ["unshare", "--mount", "sh", "-ec", `${hide} exec "$@"`, "sh"],
    });
    const client = new Client({ endpoint: server.api, token: server.token });
    await using sandbox = await client.sandboxes.create({ memoryMb: 1024 });
    await assert.rejects(sandbox.exposeVscode(), (error: Error & { code?: string }) => {
      assert.equal(error.code, "VSCODE_NOT_READY");
      assert.match(error.message, /could not be installed/);
      return true;
    });
    assert.match(await server.log(), /VS Code layer could not be built/);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});
