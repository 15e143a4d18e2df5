import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { realpathSync } from "node:fs";
import process from "node:process";
import * as client from "@deno/sandbox";

/** What the parts of the scenario share: one sandbox, one spelling for all client generations. */
export async function makeContext() {
  const generation = process.env.TEST_CLIENT_GENERATION;
  const isV2 = generation === "0.2.2";
  const requireFromClient = createRequire(realpathSync(process.env.TEST_CLIENT_ENTRY));
  const sent = recordMethods(requireFromClient, isV2);
  const { Sandbox } = client;
  const sandbox = await Sandbox.create(isV2 ? { memoryMb: 1024 } : { memory: "1GiB" });

  const context = {
    client,
    Sandbox,
    sandbox,
    generation,
    isV2,
    fs: isV2 ? sandbox : sandbox.fs,
    repl: (options) => isV2 ? sandbox.repl(options) : sandbox.deno.repl(options),
    evaluate: (code) => isV2 ? sandbox.eval(code) : sandbox.deno.eval(code),
    runDeno: (options) => isV2 ? sandbox.createJsRuntime(options) : sandbox.deno.run(options),
    create: (options) => Sandbox.create(options),
    connect: (id) => Sandbox.connect(isV2 ? { id } : id),
    lifetime: (text) => isV2 ? { lifetime: text } : { timeout: text },
    methods: () => [...sent].sort(),
    report: (line) => console.log(`@@${JSON.stringify(line)}`),
    close: () => sandbox.close(),
    check,
    fails,
  };

  /** Runs one check and reports it; a failure does not stop the others. */
  async function check(name, body) {
    const started = Date.now();
    const deadline = Number(process.env.TEST_CLIENT_CHECK_MS);
    let timer;
    const late = new Promise((_, reject) => {
      timer = setTimeout(() => reject(new Error(`no end after ${deadline} ms`)), deadline);
    });
    try {
      await Promise.race([body(), late]);
      context.report({ name, ok: true, ms: Date.now() - started });
    } catch (error) {
      const detail = String(error?.stack ?? error);
      context.report({ name, ok: false, detail, ms: Date.now() - started });
    } finally {
      clearTimeout(timer);
    }
  }

  /**
   * Expects an error of Deno's class `className`. A class that the client's own shim of Deno does
   * not have arrives as a plain Error; the 0.2 client has no Deno classes at all and carries the
   * name.
   */
  async function fails(promise, className, code) {
    const error = await promise.then(
      (value) => assert.fail(`expected ${className}, got ${JSON.stringify(value)}`),
      (reason) => reason,
    );
    assert.ok(error instanceof Error, `not an Error: ${error}`);
    assert.ok(!(error instanceof assert.AssertionError), error.message);
    if (isV2) assert.equal(error.name, className, `${error.stack}`);
    else {
      const { errors } = requireFromClient("@deno/shim-deno").Deno;
      const wanted = errors[className] ? className : "Error";
      assert.equal(error.constructor.name, wanted, `${error.stack}`);
    }
    if (code) assert.equal(error.code, code, `code of ${error}`);
    return error;
  }

  return context;
}

/** Notes every method name the client puts on the wire, through the `ws` package it uses itself. */
function recordMethods(requireFromClient, isV2) {
  const WebSocket = requireFromClient("ws");
  const devalue = isV2 ? requireFromClient("devalue") : undefined;
  const sent = new Set();
  const send = WebSocket.prototype.send;
  WebSocket.prototype.send = function (data, ...rest) {
    if (data !== "ping") {
      const message = isV2 ? devalue.parse(data, { Error: (value) => value }) : JSON.parse(data);
      sent.add(message.method);
    }
    return send.call(this, data, ...rest);
  };
  return sent;
}
