import type { Figure } from "./figure.ts";

/** A plain-text table, one line a figure. */
export function figureTable(figures: Figure[]): string {
  const rows = [
    ["scenario", "metric", "value", "floor", "ratio", "target", "met"],
    ...figures.map((f) => [
      f.scenario,
      f.metric,
      `${f.value} ${f.unit}`,
      f.floor === null ? "–" : `${f.floor} ${f.unit}`,
      f.ratio === null ? "–" : String(f.ratio),
      f.target ?? "–",
      f.met === null ? "–" : f.met ? "yes" : "NO",
    ]),
  ];
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  return rows.map((row) => row.map((cell, i) => cell.padEnd(widths[i])).join("  ").trimEnd())
    .join("\n");
}
