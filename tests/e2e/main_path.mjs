// What a user writes first, on whatever runtime this is run with. Prints one JSON line.
import { Client, Sandbox } from "@paddock/sandbox";

const results = {};
{
  await using sandbox = await Sandbox.create({ labels: { program: "main-path" }, env: { A: "b" } });
  results.fib = await sandbox.eval(
    `const f=[0,1]; while (f.length<10) f.push(f.at(-1)+f.at(-2)); f`,
  );
  results.id = sandbox.id;
  results.rich = await sandbox.eval("new Map([['k', 1n]])") instanceof Map;
  results.sh = await sandbox.sh`echo ${"it's"} $A`.text();
  results.shCall = await sandbox.sh("echo called").text();
  await sandbox.fs.writeTextFile("f.txt", "content");
  await sandbox.writeTextFile("g.txt", "flat");
  results.read = [await sandbox.readTextFile("f.txt"), await sandbox.fs.readTextFile("g.txt")];
  const child = await sandbox.spawn("cat", { stdin: "piped", stdout: "piped" });
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode("piped"));
  await writer.close();
  results.spawn = (await child.output()).stdoutText;
  const repl = await sandbox.repl();
  await repl.eval("let n = 41");
  results.repl = await repl.eval("++n");
  await repl.close();
  const runtime = await sandbox.createJsRuntime({
    code: "Deno.serve({ port: 8000 }, () => new Response('served'))",
  });
  results.httpReady = await runtime.httpReady;
  results.fetched = await (await runtime.fetch("http://localhost/")).text();
  await runtime.kill();
  results.notFound = await sandbox.fs.readTextFile("gone").then(
    () => "",
    (error) => `${error.name} ${error.code}`,
  );
  results.typeError = await sandbox.eval("null.x").then(
    () => "",
    (error) => error instanceof TypeError,
  );
  const listed = await new Client().sandboxes.list({ labels: { program: "main-path" } });
  results.listed = listed.some((item) => item.id === sandbox.id);
}
results.ended = await Sandbox.connect(results.id).then(() => false, () => true);
console.log(JSON.stringify(results));
