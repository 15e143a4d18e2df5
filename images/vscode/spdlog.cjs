"use strict";
// Stands in for @vscode/spdlog, which would need a C++ compiler: VS Code's logs are written all the
// same, by Node, and an Output panel shows them.
const { appendFile } = require("node:fs");

const levels = ["trace", "debug", "info", "warn", "error", "critical"];
/** Lines wait this long for more, so that a talkative start is a few writes. */
const gatherMs = 200;

class Logger {
  #file;
  #limit;
  #written = 0;
  #level = levels.indexOf("info");
  #plain = false;
  #lines = [];
  #timer;

  constructor(_type, _name, file, limit) {
    this.#file = file;
    this.#limit = limit;
    for (const [index, level] of levels.entries()) {
      this[level] = (message) => index >= this.#level && this.#add(level, message);
    }
  }

  #add(level, message) {
    const stamp = new Date().toISOString().replace("T", " ").slice(0, -1);
    this.#lines.push(this.#plain ? message : `${stamp} [${level}] ${message}\n`);
    this.#timer ??= setTimeout(() => this.flush(), gatherMs).unref();
  }

  getLevel() {
    return this.#level;
  }
  setLevel(level) {
    this.#level = level;
  }
  clearFormatters() {
    this.#plain = true;
  }
  setPattern() {}
  drop() {
    this.flush();
  }

  flush() {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const text = this.#lines.splice(0).join("");
    // A log that is full stays as it is: nobody reads the second hundred megabytes.
    if (text === "" || this.#written > this.#limit) return;
    this.#written += text.length;
    appendFile(this.#file, text, () => {});
  }
}

const create = async (name, file, limit) => new Logger("rotating", name, file, limit);

// One by one: this is how they are found by an `import`.
exports.version = 1;
exports.setLevel = () => {};
exports.setFlushOn = () => {};
exports.createRotatingLogger = create;
exports.createAsyncRotatingLogger = create;
exports.Logger = Logger;
