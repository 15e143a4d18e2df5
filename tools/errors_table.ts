import { type Blame, type ErrorEntry, errorRegistry } from "@paddock/protocol";

const whose: Record<Blame, string> = {
  caller: "the caller's",
  operator: "the operator's",
  guest: "the sandbox's",
  us: "Paddock's",
};

/** The table of codes in docs/errors.md; its test says when the page is stale. */
export function errorsTable(): string {
  const entries: [string, ErrorEntry][] = Object.entries(errorRegistry);
  const rows = entries.map(([code, { status, rpcCode, blame, message, hint }]) =>
    `| \`${code}\` | ${status} | ${rpcCode} | ${whose[blame]} | ${message} | ${hint ?? ""}`
      .trimEnd() +
    " |"
  );
  return [
    "| code | HTTP | JSON-RPC | whose doing | what it says | what to do |",
    "|---|---|---|---|---|---|",
    ...rows,
  ].join("\n");
}

if (import.meta.main) console.log(errorsTable());
