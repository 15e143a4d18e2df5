import { strict as assert } from "node:assert";
import { barChart, lineChart } from "./chart.ts";

const texts = (svg: string) => [...svg.matchAll(/<text[^>]*>([^<]*)</g)].map(([, text]) => text);

Deno.test("a line goes through its points, from the corner of zero to the round end of both scales", () => {
  const svg = lineChart({ title: "growth", across: "n", up: "MB" }, [
    { name: "all", points: [[0, 0], [50, 25], [100, 100]] },
  ]);
  // The plot is 560 by 248 within edges of 64 and 40.
  assert.match(svg, /points="64,288 344,226 624,40"/);
  for (const text of ["growth", "n", "MB", "all", "0", "20", "40", "60", "80", "100"]) {
    assert.ok(texts(svg).includes(text), `"${text}" is not in ${texts(svg)}`);
  }
});

Deno.test("scales end at a round number above what they show, and begin below zero only when they must", () => {
  const ticksOf = (ys: number[]) => {
    const points = ys.map((y, x) => [x * 1000, y] as const);
    return texts(lineChart({ title: "t", up: "u" }, [{ name: "n", points }])).map(Number)
      .filter((value) => value < 1000);
  };
  assert.ok(ticksOf([1, 7.3]).includes(8));
  assert.ok(!ticksOf([1, 7.3]).some((tick) => tick < 0));
  assert.ok(ticksOf([-3, 7]).includes(-4));
  // All the same, and nothing at all, are still something to draw.
  assert.match(lineChart({ title: "t", up: "u" }, [{ name: "n", points: [[0, 0]] }]), /64,288/);
});

Deno.test("each line has a colour and a name", () => {
  const svg = lineChart({ title: "t", up: "u" }, [
    { name: "one", points: [[0, 1], [1, 2]] },
    { name: "two", points: [[0, 2], [1, 3]] },
  ]);
  const colours = [...svg.matchAll(/<polyline fill="none" stroke="([^"]+)"/g)].map(([, it]) => it);
  assert.equal(new Set(colours).size, 2);
  for (const colour of colours) assert.match(svg, new RegExp(`<rect[^>]*fill="${colour}"`));
});

Deno.test("bars are as high as their values, with their targets across them", () => {
  const svg = barChart({ title: "t", up: "ms" }, [
    { name: "a", value: 50, target: 100 },
    { name: "b", value: 100 },
  ]);
  const heights = [...svg.matchAll(/<rect x[^>]* height="([\d.]+)" fill="#2563eb"/g)]
    .map(([, it]) => Number(it));
  assert.equal(heights.length, 2);
  assert.equal(heights[1], 2 * heights[0]);
  assert.match(svg, /y1="40" y2="40" stroke="#dc2626"/);
  assert.ok(texts(svg).includes("dashed: target"));
});

Deno.test("what a chart is called cannot end its text", () => {
  const svg = barChart({ title: 'a <b> & "c"', up: "u" }, [{ name: "<x>", value: 1 }]);
  assert.match(svg, /<title>a &lt;b> &amp; &quot;c&quot;<\/title>/);
  assert.doesNotMatch(svg, /<b>|<x>/);
});

Deno.test("a chart of nothing is refused", () => {
  assert.throws(() => lineChart({ title: "empty", up: "u" }, []), /nothing to draw in "empty"/);
  assert.throws(() => barChart({ title: "empty", up: "u" }, []), /nothing to draw in "empty"/);
});
