import assert from "node:assert/strict";

/** spawnDeno, denoHttpWait, REPLs and the errors that come out of them. */
export async function javascript(context) {
  const { fs, check, runDeno, repl: openRepl, evaluate, isV2 } = context;
  const piped = { stdin: "null", stdout: "piped", stderr: "piped" };

  await check("run code: extension, arguments, environment, folder", async () => {
    const child = await runDeno({
      code: "const a: string[] = Deno.args; console.log(a.join(), Deno.env.get('X'), Deno.cwd())",
      extension: "ts",
      scriptArgs: ["p", "q r"],
      env: { X: "y" },
      cwd: "/tmp",
      ...piped,
    });
    const output = await child.output();
    assert.equal(output.stdoutText, "p,q r y /tmp\n", output.stderrText);
    assert.equal(output.status.code, 0);
    const plain = await runDeno({ code: "console.log(import.meta.url.slice(0,5))", ...piped });
    assert.match((await plain.output()).stdoutText, /^file:/);
    const jsx = await runDeno({
      code: "/** @jsx h */\nconst h = (t: string) => t;\nconsole.log(<b/>)",
      extension: "tsx",
      ...piped,
    });
    const drawn = await jsx.output();
    assert.equal(drawn.stdoutText, "b\n", drawn.stderrText);
  });
  await check("run code: a failing program", async () => {
    const child = await runDeno({ code: "throw new Error('out')", ...piped });
    const output = await child.output();
    assert.equal(output.status.code, 1);
    assert.match(output.stderrText, /out/);
    assert.equal(await child.httpReady, false);
  });
  await check("run an entrypoint, with stdin", async () => {
    await fs.writeTextFile(
      "main.ts",
      "for await (const c of Deno.stdin.readable) console.log(c.length)",
    );
    const child = await runDeno({ entrypoint: "main.ts", ...piped, stdin: "piped" });
    const writer = child.stdin.getWriter();
    await writer.write(new Uint8Array(7));
    await writer.close();
    assert.equal((await child.output()).stdoutText, "7\n");
  });
  await check("httpReady and fetch of the program's own server", async () => {
    const server = await runDeno({
      code: `Deno.serve(async (request) => {
        const url = new URL(request.url);
        if (url.pathname === "/slow") await new Promise((r) => setTimeout(r, 60_000));
        if (url.pathname === "/to") return Response.redirect(new URL("/at", url), 302);
        if (url.pathname === "/empty") return new Response(null, { status: 204 });
        return new Response(url.pathname + " " + await request.text(), {
          status: 201, statusText: "Made", headers: { "x-seen": request.headers.get("x-sent") ?? "" },
        });
      });`,
      ...piped,
    });
    assert.equal(await server.httpReady, true);
    const response = await server.fetch("https://example.com/path", {
      method: "POST",
      body: "posted",
      headers: { "x-sent": "1" },
    });
    assert.equal(response.status, 201);
    assert.equal(response.headers.get("x-seen"), "1");
    assert.equal(await response.text(), "/path posted");
    const manual = await server.fetch("http://localhost/to", { redirect: "manual" });
    assert.equal(manual.status, 302);
    assert.equal((await server.fetch("http://localhost/empty")).status, 204);
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 200);
    await assert.rejects(
      server.fetch("http://localhost/slow", { signal: controller.signal }),
      (error) => error.name === "AbortError",
    );
    await server.kill();
    assert.equal((await server.status).success, false);
  });
  await check("httpReady for node:http", async () => {
    const server = await runDeno({
      code: `import { createServer } from "node:http";
        createServer((_, response) => response.end("node")).listen(4001);`,
      ...piped,
    });
    assert.equal(await server.httpReady, true);
    assert.equal(await (await server.fetch("http://localhost/")).text(), "node");
    await server.kill();
  });
  if (!isV2) await watch(context, piped);

  await check("REPL: keeps state, TypeScript, top-level await, imports", async () => {
    const repl = await openRepl({ ...piped, env: { R: "env" }, cwd: "/tmp" });
    await repl.eval("let count: number = 1");
    await repl.eval("function add(a: number, b: number) { return a + b }");
    assert.equal(await repl.eval("count += 41; count"), 42);
    assert.equal(await repl.eval("await Promise.resolve('later')"), "later");
    assert.equal(await repl.eval("(await import('node:path')).basename('/a/b')"), "b");
    assert.equal(await repl.eval("import { sep } from 'node:path'; sep"), "/");
    assert.equal(await repl.eval("Deno.env.get('R') + Deno.cwd()"), "env/tmp");
    assert.equal(await repl.call("add", 1, 2), 3);
    assert.equal(await repl.call("(a, b) => a.concat(b)", [1], [2]).then(String), "1,2");
    assert.equal(await repl.call("async (x) => x * 2", 4), 8);
    await repl.close();
    await repl.close();
    assert.equal((await repl.status).success, true);
    await assert.rejects(repl.eval("1"), Error);
  });
  await check(
    "REPL: const can be said again only as JavaScript allows, state survives errors",
    async () => {
      const repl = await openRepl(piped);
      await repl.eval("const kept = 'yes'");
      await assert.rejects(repl.eval("kept.nothing.more"), TypeError);
      assert.equal(await repl.eval("kept"), "yes");
      await repl.close();
    },
  );
  await check("REPL: console output goes to its stdout", async () => {
    const repl = await openRepl(piped);
    const text = new Response(repl.stdout).text();
    await repl.eval("console.log('printed')");
    await repl.close();
    assert.equal(await text, "printed\n");
  });
  await check("eval: thrown errors keep class, message, stack and cause", async () => {
    await assert.rejects(evaluate("throw new TypeError('bad type')"), (error) => {
      assert.ok(error instanceof TypeError);
      assert.equal(error.message, "bad type");
      assert.match(error.stack, /bad type/);
      return true;
    });
    await assert.rejects(evaluate("function f() { null.x } f()"), /TypeError|null/);
    await assert.rejects(evaluate("1 +"), SyntaxError);
    await assert.rejects(evaluate("nope"), ReferenceError);
    await assert.rejects(
      evaluate("throw new Error('outer', { cause: new RangeError('inner') })"),
      (error) => error.message === "outer" && error.cause instanceof RangeError,
    );
    await assert.rejects(
      evaluate("throw new AggregateError([new Error('1'), new Error('2')], 'both')"),
      (error) => error instanceof AggregateError && error.errors.length === 2,
    );
    await assert.rejects(
      evaluate("await Deno.readTextFile('/no-such-file')"),
      /No such file or directory/,
    );
    await assert.rejects(evaluate("throw new DOMException('d', 'DataError')"), {
      name: "DataError",
    });
    await assert.rejects(evaluate("throw 'just text'"), /just text/);
    await assert.rejects(evaluate("await Promise.reject(new EvalError('x'))"), EvalError);
  });
  await check("eval: a program that ends its own process", async () => {
    await assert.rejects(evaluate("Deno.exit(3)"), Error);
    assert.equal(await evaluate("1 + 1"), 2);
  });
  await check("eval: many at once", async () => {
    const values = await Promise.all([1, 2, 3, 4].map((n) => evaluate(`${n} * 2`)));
    assert.deepEqual(values, [2, 4, 6, 8]);
  });
}

async function watch({ fs, check, runDeno, generation }, piped) {
  await check("watch mode restarts the program", async () => {
    await fs.writeTextFile("watched.ts", "console.log('first'); setInterval(() => {}, 1000)");
    const child = await runDeno({ entrypoint: "watched.ts", watch: true, ...piped });
    // Client 0.10 has no restart event: its child is no event target.
    const restarted = generation === "0.10.0" ||
      new Promise((resolve) => child.addEventListener("restart", resolve));
    const decoder = new TextDecoder();
    const reader = child.stdout.getReader();
    let text = "";
    const waitFor = async (wanted) => {
      while (!text.includes(wanted)) {
        const { value, done } = await reader.read();
        assert.ok(!done, `ended before ${wanted}: ${text}`);
        text += decoder.decode(value);
      }
    };
    await waitFor("first");
    // Deno starts to watch beside the program, and may not see what is written in its first moments.
    const change = () =>
      fs.writeTextFile("watched.ts", "console.log('second'); setInterval(() => {}, 1000)");
    await change();
    const again = setInterval(() => change().catch(() => {}), 5_000);
    try {
      await waitFor("second");
    } finally {
      clearInterval(again);
    }
    await restarted;
    await child.kill("SIGKILL");
    await child.status;
  });
}
