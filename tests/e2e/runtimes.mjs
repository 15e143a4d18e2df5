// Runs programs in the sandbox that it is given; prints what they did as JSON.
import process from "node:process";
import { Sandbox } from "@paddock/sandbox";

const sandbox = await Sandbox.connect(process.argv[2]);
const seen = {};
const outputOf = async (options) => {
  const program = await sandbox.deno.run({ stdout: "piped", stderr: "piped", ...options });
  const { status, stdoutText, stderrText } = await program.output();
  return { code: status.code, out: stdoutText.trim(), err: stderrText.trim() };
};

const typed = "const word: string = 'typed'; console.log(word, import.meta.url.split('.').pop());";
const plain = "console.log('plain', import.meta.url.split('.').pop());";
const common =
  "const { sep } = require('node:path'); console.log('common', sep, __filename.split('.').pop());";
const pragma = "/** @jsxRuntime classic */ /** @jsx h */";
const markup =
  `${pragma} const h = (tag, _p, ...kids) => [tag, ...kids].join(); console.log(<b>x</b>);`;
const typedMarkup = markup.replace(
  "(tag, _p, ...kids)",
  "(tag: string, _p: unknown, ...kids: string[])",
);
seen.extensions = {};
for (
  const [extension, code] of Object.entries({
    js: plain,
    mjs: plain,
    cjs: common,
    ts: typed,
    mts: typed,
    cts: common.replace("{ sep }", "{ sep }: { sep: string }"),
    jsx: markup,
    tsx: typedMarkup,
  })
) seen.extensions[extension] = await outputOf({ code, extension });
seen.defaultExtension = await outputOf({ code: typed });

await sandbox.mkdir("app", { recursive: true });
await sandbox.writeTextFile("app/word.ts", "export const word = 'one';");
await sandbox.writeTextFile(
  "app/main.ts",
  "import { word } from './word.ts';\n" +
    "console.log(JSON.stringify([word, Deno.args, Deno.env.get('A'), Deno.cwd(), Deno.env.get('HOME')]));\n" +
    "console.error('complains'); Deno.exit(word === 'one' ? 3 : 0);",
);
seen.entrypoint = await outputOf({
  entrypoint: "app/main.ts",
  scriptArgs: ["--x", "a b", ""],
  env: { A: "1" },
});
seen.inDirectory = await outputOf({
  entrypoint: "main.ts",
  cwd: "app",
  clearEnv: true,
  env: { PATH: "/usr/bin" },
});
seen.imports = await outputOf({
  code: "import { word } from './word.ts'; console.log(word)",
  cwd: "app",
});
seen.missing = await outputOf({ entrypoint: "nonesuch.ts" });
seen.throwing = await outputOf({ code: "throw new RangeError('far')" });
seen.leftFiles =
  (await sandbox.sh("ls -A /home/sandbox /home/sandbox/app | grep paddock; true").text()).trim();

{
  const cat = await sandbox.deno.run({
    code: "for await (const part of Deno.stdin.readable) await Deno.stdout.write(part);",
    stdin: "piped",
    stdout: "piped",
  });
  const writer = cat.stdin.getWriter();
  await writer.write(new TextEncoder().encode("in and out"));
  await writer.close();
  seen.stdin = (await cat.output()).stdoutText;
}

const servers = {
  serve: "Deno.serve({ port: 0 }, (r) => new Response('serve ' + new URL(r.url).pathname))",
  loopback: "Deno.serve({ port: 0, hostname: '127.0.0.1' }, () => new Response('loopback'))",
  ipv6: "Deno.serve({ port: 0, hostname: '::1' }, () => new Response('ipv6'))",
  node:
    "import http from 'node:http'; http.createServer((q, a) => a.end('node ' + q.url)).listen(0)",
  late:
    "await new Promise((done) => setTimeout(done, 1500)); Deno.serve({ port: 0 }, () => new Response('late'))",
  child: "const child = new Deno.Command(Deno.execPath(), { args: ['eval', " +
    "\"Deno.serve({ port: 0 }, () => new Response('child'))\"] }).spawn(); await child.status;",
};
seen.servers = {};
for (const [name, code] of Object.entries(servers)) {
  const server = await sandbox.deno.run({ code, stdout: "null", stderr: "inherit" });
  const ready = await server.httpReady;
  const texts = [];
  for (const url of ["http://x/a", new URL("https://shop.example:8443/b?c"), "d"]) {
    texts.push(await (await server.fetch(url)).text());
  }
  await server.kill();
  const { signal } = await server.status;
  seen.servers[name] = { ready, texts, signal };
}
{
  const quick = await sandbox.deno.run({ code: "console.log('no server')", stdout: "null" });
  seen.neverReady = await quick.httpReady;
  const failing = await sandbox.deno.run({ code: "await 1; Deno.exit(4)", stdout: "null" });
  seen.failedBefore = [await failing.httpReady, (await failing.status).code];
}

for (const [name, watch] of Object.entries({ all: true, listed: ["app/extra.txt"] })) {
  await sandbox.writeTextFile("app/text.ts", "export const text = 'first';");
  await sandbox.writeTextFile("app/extra.txt", "");
  await sandbox.writeTextFile(
    "app/server.ts",
    "import { text } from './text.ts'; Deno.serve({ port: 0 }, () => new Response(text + Deno.pid));",
  );
  const server = await sandbox.deno.run({
    entrypoint: "app/server.ts",
    watch,
    stdout: "null",
    stderr: "null",
  });
  await server.httpReady;
  const before = await (await server.fetch("/")).text();
  const restarted = new Promise((resolve) =>
    server.addEventListener("restart", resolve, { once: true })
  );
  await sandbox.writeTextFile("app/text.ts", "export const text = 'second';");
  if (name === "listed") await sandbox.writeTextFile("app/extra.txt", "changed");
  await restarted;
  let after = before;
  for (let i = 0; i < 100 && !after.startsWith("second"); i++) {
    after = await server.fetch("/").then((answer) => answer.text(), () => before);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  await server.kill();
  (seen.watch ??= {})[name] = [
    before.replace(/\d+/, ""),
    after.replace(/\d+/, ""),
    (await server.status).signal,
  ];
}
await sandbox.close();
console.log(JSON.stringify(seen));
