import { spawn } from "node:child_process";
import { SetupError } from "./setup_error.mjs";

const keptFirst = 12;
const keptLast = 20;

/**
 * Runs a program to its end. When it fails, its first and last lines are the error; its lines go to
 * `onLine` before, and those that it answers with true (progress) are no part of an error.
 * `statusFd` opens file descriptor 3 and gives its lines to `onStatus` (apt reports progress there).
 */
export function runProgram(command, args, options) {
  const { onLine, onStatus, timeoutMs, signal, env, cwd, what = command } = options;
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const child = spawn(command, args, {
      cwd,
      env: env ?? process.env,
      stdio: ["ignore", "pipe", "pipe", ...(onStatus ? ["pipe"] : [])],
    });
    const head = [];
    const tail = [];
    let cut = false;
    const output = [];
    const timer = setTimeout(
      () => stop(new SetupError(`${what} took longer than ${timeoutMs / 1000} s`)),
      timeoutMs,
    );
    let stopped;
    let killer;
    const stop = (reason) => {
      stopped ??= reason;
      child.kill("SIGTERM");
      killer ??= setTimeout(() => child.kill("SIGKILL"), 5_000);
    };
    const onAbort = () => stop(signal.reason);
    signal?.addEventListener("abort", onAbort, { once: true });
    readLines(child.stdout, (line) => {
      output.push(line);
      keep(line);
    });
    readLines(child.stderr, keep);
    if (onStatus) readLines(child.stdio[3], onStatus);
    function keep(line) {
      if (onLine?.(line)) return;
      if (head.length < keptFirst) head.push(line);
      else tail.push(line);
      if (tail.length > keptLast) {
        tail.shift();
        cut = true;
      }
    }
    child.on("error", (error) => {
      finish();
      reject(new SetupError(`${what} cannot be started: ${error.message}`));
    });
    child.on("close", (code, killedBy) => {
      finish();
      if (stopped) return reject(stopped);
      if (code === 0) return resolve(output);
      const how = killedBy ? `was ended by ${killedBy}` : `failed with code ${code}`;
      const shown = [...head, ...(cut ? ["…"] : []), ...tail].map((line) => `  ${line}`);
      reject(new SetupError(`${what} ${how}\n${shown.join("\n")}`));
    });
    function finish() {
      clearTimeout(timer);
      clearTimeout(killer);
      signal?.removeEventListener("abort", onAbort);
    }
  });
}

function readLines(stream, onLine) {
  let rest = "";
  stream.setEncoding("utf8");
  stream.on("data", (text) => {
    const lines = (rest + text).split(/[\r\n]+/);
    rest = lines.pop();
    for (const line of lines) if (line !== "") onLine(line);
  });
  stream.on("end", () => {
    if (rest !== "") onLine(rest);
  });
}
