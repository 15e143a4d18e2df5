/** The program of a REPL process: evaluates what the agent sends over a socket. */
import { deserializeValue, SerializedValue, serializeValue, toWireError } from "@paddock/protocol";
import type { WireError } from "@paddock/protocol";
import { freeMemory } from "./free_memory.ts";
import { reseedProcess } from "./restore/math_random.ts";
import { toFileUrl } from "./repl/file_url.ts";
import { Channel } from "./repl/channel.ts";
import { Evaluator, guestStack } from "./repl/evaluator.ts";
import { HELPER } from "./repl/rewrite_modules.ts";
import {
  type FromRepl,
  IMPORT_KEY,
  REPL_SOCKET_ENV,
  REPL_TOKEN_ENV,
  type ToRepl,
} from "./repl/messages.ts";

const MAX_MESSAGE_BYTES = 256 * 1024 * 1024;
/** Longer results could not travel to a client in one message. */
const MAX_VALUE_CHARS = 60 * 1024 * 1024;

/** A REPL that nobody has used for so long is a spare. */
const IDLE_MS = 100;

type Import = (specifier: string, options?: ImportCallOptions) => Promise<unknown>;

function takeEnv(name: string): string {
  const value = Deno.env.get(name);
  if (value === undefined) throw new Error(`${name} is not set: the agent starts this program`);
  Deno.env.delete(name);
  return value;
}

function installHelper(): void {
  const key = Symbol.for(IMPORT_KEY);
  const globals = globalThis as unknown as Record<symbol, Import>;
  const load = globals[key];
  delete globals[key];
  const here = () => toFileUrl(`${Deno.cwd()}/`);
  const resolve = (specifier: string) =>
    /^\.{0,2}\//.test(specifier) ? new URL(specifier, here()).href : specifier;
  const helper = {
    import: async (specifier: unknown, options?: ImportCallOptions) => {
      const resolved = resolve(String(specifier));
      return await (options === undefined ? load(resolved) : load(resolved, options));
    },
    get meta() {
      const dirname = Deno.cwd();
      const filename = `${dirname}/$repl.ts`;
      const url = toFileUrl(filename).href;
      return { url, filename, dirname, main: true, resolve };
    },
  };
  Object.defineProperty(globalThis, HELPER, { value: Object.freeze(helper) });
}

/**
 * Evaluated code that ends the process does so in the middle of the inspector's work, where Deno's
 * own way out runs into it. The C library's does not look back.
 */
function exitAbruptly(): void {
  const exit = (given?: number | string) => {
    const code = Number(given ?? process.exitCode ?? 0) & 0xff;
    try {
      globalThis.dispatchEvent(new Event("unload"));
    } finally {
      Deno.dlopen("libc.so.6", { _exit: { parameters: ["i32"], result: "void" } }).symbols._exit(
        code,
      );
    }
    throw new Error("unreachable");
  };
  Object.defineProperty(Deno, "exit", { value: exit, configurable: true, writable: true });
  Object.defineProperty(process, "reallyExit", { value: exit, configurable: true, writable: true });
}

/** Errors that nothing awaits are shown and survived, as in any console. */
function surviveErrors(): void {
  globalThis.addEventListener("error", (event) => {
    event.preventDefault();
    console.error("Uncaught", shown(event.error ?? event.message));
  });
  globalThis.addEventListener("unhandledrejection", (event) => {
    event.preventDefault();
    console.error("Uncaught (in promise)", shown(event.reason));
  });
}

function shown(thrown: unknown): unknown {
  if (thrown instanceof Error && typeof thrown.stack === "string") {
    thrown.stack = guestStack(thrown.stack);
  }
  return thrown;
}

function adopt({ env, cwd, args }: { env: Record<string, string>; cwd: string; args: string[] }) {
  for (const key of Object.keys(Deno.env.toObject())) {
    if (!Object.hasOwn(env, key)) Deno.env.delete(key);
  }
  for (const [key, value] of Object.entries(env)) {
    if (Deno.env.get(key) !== value) Deno.env.set(key, value);
  }
  if (Deno.cwd() !== cwd) Deno.chdir(cwd);
  if (args.length > 0) {
    Object.defineProperty(Deno, "args", { value: Object.freeze([...args]), configurable: true });
    process.argv.splice(2, Infinity, ...args);
  }
}

function forGuest(error: WireError): WireError {
  const nested = (inner: WireError | null) => inner && forGuest(inner);
  return {
    ...error,
    stack: error.stack && guestStack(error.stack),
    cause: nested(error.cause),
    errors: error.errors?.map(forGuest) ?? null,
    suppressed: nested(error.suppressed),
    error: nested(error.error),
  };
}

/** The nearest class that every client knows, so that `instanceof` holds over there. */
function knownClass(thrown: unknown, wire: WireError): WireError {
  for (
    let proto = thrown instanceof Error ? Object.getPrototypeOf(thrown) : null;
    proto;
    proto = Object.getPrototypeOf(proto)
  ) {
    const made = Object.getOwnPropertyDescriptor(proto, "constructor")?.value;
    const name = typeof made === "function" ? String(made.name) : "";
    const globals = globalThis as unknown as Record<string, unknown>;
    const deno = Deno.errors as unknown as Record<string, unknown>;
    if (made && (globals[name] === made || deno[name] === made)) {
      return { ...wire, constructorName: name };
    }
  }
  return wire;
}

const encodedAsText = (value: unknown): string => {
  const { devalue } = serializeValue(value);
  if (devalue.length > MAX_VALUE_CHARS) {
    throw new RangeError(
      `The value takes ${devalue.length} characters, more than the ${MAX_VALUE_CHARS} that travel`,
    );
  }
  return devalue;
};

async function main(): Promise<void> {
  const socket = takeEnv(REPL_SOCKET_ENV);
  const token = takeEnv(REPL_TOKEN_ENV);
  Deno.env.delete("MALLOC_ARENA_MAX");
  installHelper();
  surviveErrors();
  exitAbruptly();
  const evaluator = await Evaluator.create();
  await rehearse(evaluator);
  const channel = new Channel<ToRepl, FromRepl>(
    await Deno.connect({ transport: "unix", path: socket }),
    MAX_MESSAGE_BYTES,
  );
  await channel.send({ type: "hello", token });
  await serve(channel, evaluator);
}

/** Makes the engine, the type stripper and the memory they are in ready for evaluations that count. */
async function rehearse(evaluator: Evaluator): Promise<void> {
  encodedAsText(await evaluator.evaluate("((warm: number) => [warm])(1)"));
}

/** Does what the agent asks for until it is gone or has closed this REPL. */
async function serve(channel: Channel<ToRepl, FromRepl>, evaluator: Evaluator): Promise<void> {
  const answer = async (id: number, work: () => Promise<unknown>) => {
    let reply: FromRepl;
    try {
      reply = { type: "value", id, value: encodedAsText(await work()) };
    } catch (thrown) {
      reply = { type: "thrown", id, error: knownClass(thrown, forGuest(toWireError(thrown))) };
    }
    await channel.send(reply);
  };
  const giveUp = () => Deno.exit(1);
  // Only when nobody waits: whoever takes over at once pays for neither this nor a rehearsal.
  let idle = setTimeout(freeMemory, IDLE_MS);
  let used = false;
  for await (const message of channel.receive()) {
    if (message.type === "evaluate" || message.type === "call") {
      used = true;
      clearTimeout(idle);
    }
    switch (message.type) {
      case "adopt":
        try {
          adopt(message);
        } catch (error) {
          console.error("The REPL could not take over its settings:", error);
        }
        break;
      case "reseed":
        reseedProcess();
        // In a machine that was just restored no memory is mapped yet. What somebody uses is theirs alone.
        if (used) break;
        clearTimeout(idle);
        idle = setTimeout(() => void rehearse(evaluator), IDLE_MS);
        break;
      case "evaluate":
        answer(message.id, () => evaluator.evaluate(message.code)).catch(giveUp);
        break;
      case "call": {
        const { id, fn, args } = message;
        const values = () => deserializeValue(new SerializedValue(args)) as unknown[];
        answer(id, () => evaluator.call(fn, values())).catch(giveUp);
      }
    }
  }
}

main().then(() => Deno.exit(0), (error) => {
  console.error(error);
  Deno.exit(1);
});
