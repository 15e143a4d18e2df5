/** One measured number beside the floor taken in the same run. */
export interface Figure {
  scenario: string;
  metric: string;
  unit: string;
  value: number;
  /** The same work without Paddock in the way; null where a floor makes no sense. */
  floor: number | null;
  /** value / floor. */
  ratio: number | null;
  /** What the value (or the ratio) is held against, in words; null for a figure without a target. */
  target: string | null;
  met: boolean | null;
}

type Target = { on: "value" | "ratio"; at: "most" | "least"; than: number };

export function figure(
  name: { scenario: string; metric: string; unit: string },
  measured: { value: number; floor?: number; target?: Target },
): Figure {
  const { value, floor, target } = measured;
  const ratio = floor === undefined ? null : value / floor;
  const held = target?.on === "ratio" ? ratio : value;
  return {
    ...name,
    value: round(value),
    floor: floor === undefined ? null : round(floor),
    ratio: ratio === null ? null : round(ratio),
    target: target
      ? `${target.on} ${target.at === "most" ? "≤" : "≥"} ${target.than}${
        target.on === "ratio" ? " × floor" : ` ${name.unit}`
      }`
      : null,
    met: target && held !== null
      ? (target.at === "most" ? held <= target.than : held >= target.than)
      : null,
  };
}

export function percentile(samples: number[], p: number): number {
  const sorted = [...samples].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor((sorted.length * p) / 100))];
}

function round(n: number): number {
  return Number(n.toPrecision(4));
}
