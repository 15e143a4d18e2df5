import { Session } from "node:inspector";
import { toExpression, toJavaScript } from "./to_javascript.ts";

interface RemoteObject {
  type: string;
  value?: unknown;
  unserializableValue?: string;
  objectId?: string;
}

interface Evaluated {
  result: RemoteObject;
  exceptionDetails?: { exception?: RemoteObject; lineNumber: number; columnNumber: number };
}

/** How evaluated code shows in stack traces. */
const SHOWN_AS = "<repl>";

/**
 * Evaluates code in this very process the way a console does: the completion value, top-level
 * await, `const` again and again. The engine's inspector does it; its remote handles are turned
 * back into the values they stand for.
 */
export class Evaluator {
  #session = new Session();
  #mailbox: { value?: unknown } = {};
  #mailboxId = "";
  #runs = 0;

  static async create(): Promise<Evaluator> {
    const evaluator = new Evaluator();
    await evaluator.#connect();
    return evaluator;
  }

  async #connect(): Promise<void> {
    this.#session.connect();
    const key = `paddock.${crypto.randomUUID()}`;
    const globals = globalThis as unknown as Record<string, unknown>;
    globals[key] = this.#mailbox;
    const { result } = await this.#post<Evaluated>("Runtime.evaluate", {
      expression: `globalThis[${JSON.stringify(key)}]`,
    });
    delete globals[key];
    this.#mailboxId = result.objectId!;
  }

  /** The completion value of `code`; throws what it throws. */
  evaluate(code: string): Promise<unknown> {
    return this.#run(toJavaScript(code));
  }

  /** Calls a function that was defined here, or that `fn` is the source of. */
  async call(fn: string, args: unknown[]): Promise<unknown> {
    const callee = await this.#run(toExpression(fn));
    if (typeof callee !== "function") {
      throw new TypeError(`${fn.slice(0, 100)} is not a function`);
    }
    return await callee(...args);
  }

  async #run(expression: string): Promise<unknown> {
    const objectGroup = `paddock.${++this.#runs}`;
    const { result, exceptionDetails } = await this.#post<Evaluated>("Runtime.evaluate", {
      expression,
      objectGroup,
      replMode: true,
      awaitPromise: true,
    });
    const value = this.#take(exceptionDetails?.exception ?? result);
    this.#session.post("Runtime.releaseObjectGroup", { objectGroup });
    if (exceptionDetails) {
      if (value instanceof SyntaxError && !/\n\s+at <anonymous>/.test(value.stack ?? "")) {
        const { lineNumber, columnNumber } = exceptionDetails;
        value.stack = `${value}\n    at ${SHOWN_AS}:${lineNumber + 1}:${columnNumber + 1}`;
      }
      throw value;
    }
    return isThenable(value) ? await value : value;
  }

  /** Puts the value of a handle in the mailbox, inside the engine, and takes it out here. */
  #take(handle: RemoteObject): unknown {
    const { type, value, unserializableValue, objectId } = handle;
    if (objectId === undefined && unserializableValue === undefined) {
      return type === "undefined" ? undefined : value;
    }
    // An object's handle is resolved before `post` returns: nothing is awaited in between.
    this.#session.post("Runtime.callFunctionOn", {
      objectId: this.#mailboxId,
      functionDeclaration: "function (value) { this.value = value }",
      arguments: [objectId === undefined ? { unserializableValue } : { objectId }],
    }, (error: Error | null) => {
      if (error) this.#mailbox.value = error;
    });
    const taken = this.#mailbox.value;
    this.#mailbox.value = undefined;
    return taken;
  }

  #post<T>(method: string, params: Record<string, unknown>): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    this.#session.post(method, params, (error: Error | null, result: unknown) => {
      if (error) reject(error);
      else resolve(result as T);
    });
    return promise;
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  try {
    return typeof value === "object" && value !== null &&
      typeof (value as PromiseLike<unknown>).then === "function";
  } catch {
    return false;
  }
}

const OURS =
  /\n\s+at (?:Session\.post|[^\n]*ext:deno_node\/inspector|[^\n]*paddock:repl_main\.js)[^]*$/;

/** A stack without the frames below the evaluated code. */
export function guestStack(stack: string): string {
  return stack.replace(OURS, "").replaceAll("at <anonymous>:", `at ${SHOWN_AS}:`)
    .replaceAll("(<anonymous>:", `(${SHOWN_AS}:`);
}
