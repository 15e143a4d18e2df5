import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { Client, Sandbox } from "@paddock/sandbox";
import {
  denoBinary,
  repository,
  run,
  runWith,
  startProgram,
  startServer,
  until,
} from "../harness.ts";

/** It draws random numbers before it is ready, and so has a generator with a state. */
const SERVER = `const before = crypto.randomUUID();
let renewed = 0;
Deno.serve({ hostname: "127.0.0.1", port: 8000 }, ({ url }) => {
  if (url.endsWith("/renew")) {
    renewed++;
    // Of so much Deno's generator takes a new seed from the kernel.
    for (let i = 0; i < 2; i++) crypto.getRandomValues(new Uint8Array(65536));
    for (let i = 0; i < 128; i++) crypto.randomUUID();
  }
  const { pid } = Deno;
  const [greeting, uuid] = [Deno.env.get("GREETING"), crypto.randomUUID()];
  return Response.json({ pid, greeting, before, renewed, uuid });
});
`;

Deno.test("templates with our client library and the command line", async (t) => {
  await using server = await startServer();
  const folder = await Deno.makeTempDir({ prefix: "paddock-template-test-" });
  try {
    await Deno.writeTextFile(`${folder}/server.ts`, SERVER);
    await Deno.mkdir(`${folder}/settings`);
    await Deno.writeTextFile(`${folder}/settings/web.conf`, "conf\n");
    await Deno.symlink("/etc/hostname", `${folder}/outside`);
    for (const runtime of ["deno", "node24"] as const) {
      await t.step(runtime, async () => {
        const file = fileURLToPath(new URL("template.mjs", import.meta.url));
        const result = await runWith(runtime, file, [folder], {
          env: server.env,
          deadlineMs: 240_000,
        });
        assert.equal(result.code, 0, `${result.stdout}\n${result.stderr}`);
        assert.equal(result.stdout.match(/^ok /gm)?.length, 6, result.stdout);
      });
    }

    const command = (
      args: string[],
    ) => ["run", "-A", "--no-lock", `${repository}/packages/cli/main.ts`, ...args];
    const paddock = async (...args: string[]) => {
      const result = await run(denoBinary, command(args), { env: server.env });
      assert.equal(result.code, 0, `${args.join(" ")}: ${result.stderr}`);
      return { out: result.stdout.trim(), err: result.stderr };
    };
    const define = (definition: unknown) =>
      Deno.writeTextFile(`${folder}/template.json`, JSON.stringify(definition));
    const options = { endpoint: server.api, token: server.token };
    const { templates, sandboxes } = new Client(options);

    await t.step("the command line", async () => {
      await define({ name: "tool", commands: ["echo it works; touch here"] });
      const built = await paddock("template", "build", folder);
      assert.equal(built.out, "tool");
      assert.match(built.err, /^commands\[0\]\n {2}it works\ncheckpoint\n$/m);
      const again = await paddock("template", "build", `${folder}/template.json`);
      assert.match(again.err, /Nothing has changed/);
      const named = await paddock("template", "build", folder, "--name", "tool-2", "--json");
      const { name, reused } = JSON.parse(named.out);
      assert.deepEqual({ name, reused }, { name: "tool-2", reused: false });
      assert.equal(named.err, "");
      assert.match((await paddock("template", "ls")).out, /^tool-2 .*MiB .*tpl_/m);
      const { out: id } = await paddock("create", "--template", "tool");
      assert.equal((await paddock("exec", "-n", id, "--", "ls", "here")).out, "here");
      await paddock("kill", id);
      await paddock("template", "rm", "tool", "tool-2");
      assert.deepEqual(await templates.list(), []);
    });

    await t.step("packages are installed", async () => {
      // From a repository in the sandbox itself: this test needs no network.
      await define({
        name: "repository",
        commands: [{
          root: true,
          run: `mkdir -p /opt/deb/tool/DEBIAN /opt/deb/tool/usr/bin
            printf 'Package: paddock-tool\\nVersion: 1.0\\nArchitecture: all\\nMaintainer: test\\nDescription: test\\n' > /opt/deb/tool/DEBIAN/control
            printf '#!/bin/sh\\necho the tool\\n' > /opt/deb/tool/usr/bin/paddock-tool
            chmod 755 /opt/deb/tool/usr/bin/paddock-tool
            cd /opt/deb && dpkg-deb -b tool paddock-tool_1.0_all.deb
            rm -rf /etc/apt/sources.list.d/* /etc/apt/sources.list
            { cat tool/DEBIAN/control
              echo "Filename: ./paddock-tool_1.0_all.deb"
              echo "Size: $(stat -c %s paddock-tool_1.0_all.deb)"
              echo "SHA256: $(sha256sum paddock-tool_1.0_all.deb | cut -c 1-64)"; } > Packages
            echo 'deb [trusted=yes] file:/opt/deb ./' > /etc/apt/sources.list`,
        }],
      });
      await paddock("template", "build", folder);
      await define({ name: "with-tool", from: "repository", packages: ["paddock-tool"] });
      await paddock("template", "build", folder);
      await using sandbox = await Sandbox.create({ ...options, template: "with-tool" });
      assert.equal(await sandbox.sh`paddock-tool`.text(), "the tool\n");
      await define({ name: "with-tool", from: "repository", packages: ["no-such-tool"] });
      const failed = await run(denoBinary, command(["template", "build", folder]), {
        env: server.env,
      });
      assert.equal(failed.code, 1);
      assert.match(failed.stderr, /Unable to locate package no-such-tool/);
      assert.match(failed.stderr, /paddock: packages: failed with exit code 100/);
      await paddock("template", "rm", "with-tool", "repository");
    });

    await t.step("what fails, and is interrupted, on the command line", async () => {
      const fails = async (args: string[], text: RegExp) => {
        const result = await run(denoBinary, command(args), { env: server.env });
        assert.equal(result.code, 1, result.stderr);
        assert.match(result.stderr, text);
      };
      await define({ name: "broken", commands: ["echo '\x1b[2Jbad'; exit 7"] });
      await fails(
        ["template", "build", folder],
        /^commands\[0\]\n {2}\\x1b\[2Jbad\npaddock: commands\[0\]: failed with exit code 7 \(/m,
      );
      await Deno.writeTextFile(`${folder}/template.json`, "{");
      await fails(["template", "build", folder], /template\.json is not JSON/);
      await fails(["template", "build", `${folder}/none.json`], /none\.json cannot be read/);
      await fails(["template", "rm", "broken"], /TEMPLATE_NOT_FOUND/);
      await fails(["create", "--template", "broken"], /TEMPLATE_NOT_FOUND/);
      await define({ name: "broken", commands: ["echo begun >&2; sleep 100"] });
      const launcher = `${repository}/packages/cli/bin/paddock.mjs`;
      const program = startProgram("node", [launcher, "template", "build", folder], {
        env: server.env,
      });
      await until("the building sandbox", 20_000, async () => (await sandboxes.list())[0]);
      program.kill("SIGINT");
      const { signal, stderr } = await program.ended;
      assert.equal(signal, "SIGINT", stderr);
      assert.match(stderr, /interrupted; no template was built/);
      await until("its end", 20_000, async () => (await sandboxes.list()).length === 0);
      assert.deepEqual(await templates.list(), []);
    });

    await t.step(
      "what is to run in each sandbox, and does not end, fails the creation",
      async () => {
        await templates.build({ name: "stuck", restored: "sleep 100" });
        await assert.rejects(
          Sandbox.create({ ...options, template: "stuck" }),
          (error: { code?: string; message: string }) =>
            error.code === "RESTORE_FAILED" && /limits\.restoredCommandMs/.test(error.message),
        );
        await until("nothing is left", 20_000, async () => (await sandboxes.list()).length === 0);
        await templates.delete("stuck");
      },
    );

    await t.step("of another organisation there is none", async () => {
      const { id } = await templates.build({ name: "mine" });
      const other = { ...options, token: await server.createToken("other") };
      const theirs = new Client(other).templates;
      assert.deepEqual(await theirs.list(), []);
      for (const template of [id, "mine"]) {
        assert.equal(await theirs.get(template), null);
        const unknown = (error: { code?: string }) => error.code === "TEMPLATE_NOT_FOUND";
        await assert.rejects(Sandbox.create({ ...other, template }), unknown);
        await assert.rejects(theirs.delete(template), unknown);
        await assert.rejects(theirs.build({ name: "from-theirs", from: template }), unknown);
      }
      // A name is free in each organisation.
      await theirs.build({ name: "mine" });
      await theirs.delete("mine");
      assert.equal((await templates.get("mine"))?.id, id);
    });

    await t.step("one whose files have changed is refused, and built again", async () => {
      const { id } = (await templates.get("mine"))!;
      const machine = `${server.dataDir}/checkpoints/${id}/machine`;
      const [largest] = [...Deno.readDirSync(machine)].map(({ name }) => `${machine}/${name}`)
        .sort((one, two) => Deno.statSync(two).size - Deno.statSync(one).size);
      const file = await Deno.open(largest, { write: true });
      await file.seek(1_000_000, Deno.SeekMode.Start);
      await file.write(new Uint8Array(64).fill(0x5a));
      file.close();
      await assert.rejects(
        Sandbox.create({ ...options, template: "mine" }),
        (error: { code?: string; hint?: string }) =>
          error.code === "CHECKPOINT_DAMAGED" && /template build --force/.test(error.hint ?? ""),
      );
      await templates.build({ name: "mine" }, { force: true });
      await using sandbox = await Sandbox.create({ ...options, template: "mine" });
      assert.equal(await sandbox.eval("1 + 1"), 2);
      await templates.delete("mine");
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
