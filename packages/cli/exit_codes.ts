/** What the `paddock` command's exit code says. `paddock --help` prints the same list. */
export const exitCodes = {
  ok: 0,
  failure: 1,
  usage: 2,
  /** `exec` and `eval`: Paddock itself failed, so the command's own exit code is not known. */
  execFailed: 125,
  notExecutable: 126,
  notFound: 127,
  /** Plus the signal's number: the command (or a stop that had to be forced) ended by a signal. */
  signalBase: 128,
} as const;

export const exitCodesHelp = `Exit codes:
  0        done
  1        failed; the reason is on standard error
  2        the command line is wrong
  125      exec: Paddock failed, not the command (no such sandbox, connection lost, …)
  126,127  exec: the command cannot be executed, is not found
  128+N    exec: the command was ended by signal N; serve: a second signal forced the stop
  other    exec: the command's own exit code`;
