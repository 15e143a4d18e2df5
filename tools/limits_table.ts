import { limits } from "@paddock/protocol";

/** The table of limits in docs/configuration.md; its test says when the page is stale. */
export function limitsTable(): string {
  const rows = Object.values(limits).map(({ configKey, default: value, unit, description }) =>
    `| \`${configKey}\` | ${value.toLocaleString("en")} ${unit === "count" ? "" : unit}`.trimEnd() +
    ` | ${description} |`
  );
  return ["| key | default | what it bounds |", "|---|---|---|", ...rows].join("\n");
}

if (import.meta.main) console.log(limitsTable());
