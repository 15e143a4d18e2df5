/** Small charts as SVG: lines over numbers, bars over words. Plain text, the same for the same figures. */

export interface ChartText {
  title: string;
  /** What runs along the bottom; a bar chart has the names of its bars there. */
  across?: string;
  up: string;
}

export interface Line {
  name: string;
  points: readonly (readonly [x: number, y: number])[];
}

export interface Bar {
  name: string;
  value: number;
  /** A mark across the bar: what it is held against. */
  target?: number;
}

const WIDTH = 640;
const HEIGHT = 360;
const EDGE = { left: 64, right: 16, top: 40, bottom: 72 };
const PLOT = {
  width: WIDTH - EDGE.left - EDGE.right,
  height: HEIGHT - EDGE.top - EDGE.bottom,
};
const COLOURS = ["#2563eb", "#d97706", "#059669", "#dc2626", "#7c3aed", "#475569"];
const STEPS = 5;

export function lineChart(text: ChartText, lines: readonly Line[]): string {
  const points = lines.flatMap((line) => [...line.points]);
  if (points.length === 0) throw new Error(`nothing to draw in "${text.title}"`);
  const across = scale(points.map(([x]) => x), PLOT.width);
  const up = scale(points.map(([, y]) => y), PLOT.height);
  const at = ([x, y]: readonly [number, number]) =>
    `${coordinate(EDGE.left + across.at(x))},${coordinate(EDGE.top + PLOT.height - up.at(y))}`;
  const drawn = lines.map(({ points }, index) => {
    const colour = COLOURS[index % COLOURS.length];
    const path = `<polyline fill="none" stroke="${colour}" stroke-width="2" points="${
      points.map(at).join(" ")
    }"/>`;
    // Where there are many, the line says it all.
    if (points.length > 25) return path;
    return path + points.map((point) => {
      const [x, y] = at(point).split(",");
      return `<circle cx="${x}" cy="${y}" r="3" fill="${colour}"/>`;
    }).join("");
  });
  const marks = across.ticks.map((tick) =>
    label(EDGE.left + across.at(tick), EDGE.top + PLOT.height + 16, "middle", number(tick))
  );
  return frame(text, up, [...marks, ...drawn, legend(lines.map(({ name }) => name))]);
}

export function barChart(text: ChartText, bars: readonly Bar[]): string {
  if (bars.length === 0) throw new Error(`nothing to draw in "${text.title}"`);
  const up = scale(bars.flatMap(({ value, target }) => [value, target ?? 0]), PLOT.height);
  const slot = PLOT.width / bars.length;
  const bottom = EDGE.top + PLOT.height;
  const drawn = bars.map(({ name, value, target }, index) => {
    const left = EDGE.left + index * slot + slot * 0.2;
    const height = up.at(value);
    const parts = [
      `<rect x="${coordinate(left)}" y="${coordinate(bottom - height)}" width="${
        coordinate(slot * 0.6)
      }" height="${coordinate(height)}" fill="${COLOURS[0]}"/>`,
      label(left + slot * 0.3, bottom - height - 4, "middle", number(value)),
      label(left + slot * 0.3, bottom + 16, "middle", name),
    ];
    if (target !== undefined) {
      const y = coordinate(bottom - up.at(target));
      parts.push(
        `<line x1="${coordinate(left - slot * 0.1)}" x2="${
          coordinate(left + slot * 0.7)
        }" y1="${y}" y2="${y}" stroke="${COLOURS[3]}" stroke-dasharray="4 3"/>`,
      );
    }
    return parts.join("");
  });
  const marked = bars.some(({ target }) => target !== undefined);
  return frame(text, up, [
    ...drawn,
    ...(marked ? [label(WIDTH - EDGE.right, HEIGHT - 12, "end", "dashed: target")] : []),
  ]);
}

interface Scale {
  at(value: number): number;
  ticks: number[];
}

/** From zero (or the least, where that is below) to a round number above the most. */
function scale(values: number[], length: number): Scale {
  const least = Math.min(0, ...values);
  const most = Math.max(...values);
  const step = roundStep((most - least || 1) / STEPS);
  const first = Math.floor(least / step);
  const last = Math.max(first + 1, Math.ceil(most / step));
  const ticks = Array.from({ length: last - first + 1 }, (_, index) => (first + index) * step);
  const [from, to] = [first * step, last * step];
  return { at: (value) => ((value - from) / (to - from)) * length, ticks };
}

/** 1, 2 or 5 times a power of ten, not less than what is given. */
function roundStep(step: number): number {
  const power = 10 ** Math.floor(Math.log10(step));
  const factor = [1, 2, 5, 10].find((it) => it * power >= step * (1 - 1e-9))!;
  return factor * power;
}

function frame({ title, across, up }: ChartText, scale: Scale, content: string[]): string {
  const grid = scale.ticks.map((tick) => {
    const y = EDGE.top + PLOT.height - scale.at(tick);
    return `<line x1="${EDGE.left}" x2="${WIDTH - EDGE.right}" y1="${coordinate(y)}" y2="${
      coordinate(y)
    }" stroke="#cbd5e1"/>` + label(EDGE.left - 6, y + 4, "end", number(tick));
  });
  const middle = EDGE.top + PLOT.height / 2;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" ` +
    `font-family="sans-serif" font-size="12" role="img">`,
    `<title>${escape(title)}</title>`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#ffffff"/>`,
    `<text x="${EDGE.left}" y="24" font-size="15" fill="#0f172a">${escape(title)}</text>`,
    ...grid,
    `<text transform="translate(14 ${middle}) rotate(-90)" text-anchor="middle" ` +
    `fill="#334155">${escape(up)}</text>`,
    ...(across === undefined
      ? []
      : [label(EDGE.left + PLOT.width / 2, EDGE.top + PLOT.height + 36, "middle", across)]),
    ...content,
    `</svg>`,
    "",
  ].join("\n");
}

function legend(names: string[]): string {
  const width = PLOT.width / names.length;
  return names.map((name, index) => {
    const x = EDGE.left + index * width;
    return `<rect x="${coordinate(x)}" y="${HEIGHT - 22}" width="10" height="10" fill="${
      COLOURS[index % COLOURS.length]
    }"/>` + label(x + 16, HEIGHT - 12, "start", name);
  }).join("");
}

function label(x: number, y: number, anchor: "start" | "middle" | "end", text: string): string {
  return `<text x="${coordinate(x)}" y="${coordinate(y)}" text-anchor="${anchor}" fill="#334155">${
    escape(text)
  }</text>`;
}

function coordinate(value: number): string {
  return String(Number(value.toFixed(1)));
}

/** As short as three digits that count allow. */
function number(value: number): string {
  return String(Number(value.toPrecision(value >= 1000 ? 4 : 3)));
}

function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}
