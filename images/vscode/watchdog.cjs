"use strict";
// Stands in for @vscode/native-watchdog, which would need a C++ compiler: ends a process whose parent is
// gone.
exports.start = (parent) => {
  setInterval(() => {
    try {
      process.kill(parent, 0);
    } catch {
      process.exit(87);
    }
  }, 1_000).unref();
};
