import { openVsCode, runOverSsh } from "./readme_visits.ts";

/** What a test knows that an example's reader knows as well. */
export interface VisitContext {
  /** The example's own folder. */
  folder: string;
  /** The file with the server's authority. */
  ca: string;
}

/** What running one README example has to show, on every client generation and runtime. */
export interface Expectation {
  /** Each must occur in standard output, in this order. */
  output?: (string | RegExp)[];
  /** The program left this in its folder. */
  file?: { name: string; bytes: number };
  /** It takes at least this long. */
  lastsMs?: number;
  /**
   * The example waits for somebody to use what it printed: that is done, then it is interrupted as
   * its user would do it.
   */
  visit?: {
    printed: RegExp;
    by(match: RegExpExecArray, context: VisitContext): Promise<void>;
  };
  /** Not covered yet: printed as a table row, not run. */
  later?: { issue: "C" | "D"; reason: string };
  /** Sandbox files the example takes for granted, written right after `Sandbox.create()`. */
  prepare?: Record<string, string>;
}

const apps: Expectation = {
  later: { issue: "D", reason: "apps are deployments on the hosted service" },
};
const ssh: Expectation = { visit: { printed: /^ssh (ssh_\w+)@(\S+)$/m, by: runOverSsh } };
const vscode: Expectation = { visit: { printed: /^https:\/\/\S+$/m, by: openVsCode } };

/** By heading, or by `heading #n` where a heading has several blocks. */
export const expectations: Record<string, Expectation> = {
  "Quick Start": { output: [/Hello, Sandbox!|home/] },
  "Evaluate a JS snippet": { output: ["result: 3"] },
  "Spawn a subprocess, and get buffered output": { output: ["result: /home/sandbox\n"] },
  "Create a package.json, install deps, run a web framework (Express), and expose it publicly": {
    output: [
      /Public URL: https:\/\/[0-9a-hjkmnp-tv-z]{26}\.sandbox\.localhost/,
      /\{ now: ["']\d{4}-\d\d-\d\dT[\d:.]+Z["'] \}/,
    ],
  },
  "Get SSH access to the sandbox": ssh,
  "Interactive JavaScript REPL": { output: ["result: 50"] },
  "VSCode browser instance": vscode,
  "Template literal commands with variable interpolation": {
    // The example removes files that nothing in it made; without them `rm` fails as it should.
    prepare: { "file1.txt": "1", "file2.txt": "2", "file3.txt": "3" },
    output: ["42"],
  },
  "Error handling with noThrow()": {
    output: [
      /Command failed: .*SandboxCommandError: Command failed with exit code 1/,
      "Exit code: 1",
      "Success: false",
    ],
  },
  // In these clients `.text()` forgets the signal given before it: the command runs to its end.
  "Command cancellation": { lastsMs: 30_000 },
  "Access both string and binary output": {
    // One byte per character, so that both lengths are the same.
    prepare: { "binary-file.png": "not really a picture" },
    output: ["Binary length: 20", "Text length: 20"],
    file: { name: "output.png", bytes: 20 },
  },
  "Error handling with custom error class": {
    output: ["Exit code: 42", "Error message: Command failed with exit code 42"],
  },
  "Set environment variables": { output: ["API_KEY: secret-key-123"] },
  "Stream command output to local file": {
    output: [/done: .*success.*true/s],
    file: { name: "big-local-copy.txt", bytes: 5_000_000 },
  },
  "Upload local files or directories": {},
  "Control sandbox lifetime #1": {},
  "Control sandbox lifetime #2": {},
  "Control sandbox timeout #1": {},
  "Control sandbox timeout #2": {},
  "Configure sandbox memory #1": {},
  "Configure sandbox memory #2": { output: [/Total memory: \d{10}\b/] },
  "Restrict outbound network access": {
    later: { issue: "C", reason: "allowNet: the filter of what leaves a sandbox is to come" },
  },
  "Secret on the Wire": {
    later: { issue: "C", reason: "secrets are put in by the filter of what leaves a sandbox" },
  },
  "Compatibility note on `await using`": {},
  "Creating App": apps,
  "Listing apps": apps,
  "Retrieving an app": apps,
  "Updating app info": apps,
  "Deleting an app": apps,
  "In which region are my sandboxes running?": {},
};
