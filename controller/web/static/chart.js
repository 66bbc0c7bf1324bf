// A check's evidence over time. Both curves of a comparison are drawn as how far they have come, on a logarithmic scale:
// at the dashed line it is enough, for taking the release back or for the next step. A limit is drawn as its number.

import { h, s, say, set } from "./dom.js";
import { amount, clock, factor, percent } from "./words.js";

const HEIGHT = 150;
const TOP = 22;
const BOTTOM = 20;
const LEFT = 2;
const RIGHT = 2;

const STATES = {
  Pass: "passes",
  Fail: "fails",
  Waiting: "waiting",
  TooLittle: "too little data yet",
  NoTraffic: "no requests",
  NoSeries: "no such metric",
  Unreachable: "source does not answer",
  Incident: "an incident",
  NoControl: "nothing to compare with",
};

export class Chart {
  constructor(chart) {
    this.title = h("h3", {}, chart.check);
    this.state = h("span", { class: "state" });
    this.numbers = h("dl", { class: "numbers" });
    this.threshold = s("line", { class: "threshold" });
    this.enough = s("text", { class: "label" });
    this.floor = s("line", { class: "floor" });
    this.area = s("path", { class: "area against" });
    this.proof = s("path", { class: "curve proof" });
    this.against = s("path", { class: "curve against" });
    this.ends = [s("circle", { class: "end proof", r: 3.5 }), s("circle", { class: "end against", r: 3.5 })];
    this.cursor = s("line", { class: "cursor" });
    this.steps = s("g", { class: "marks" });
    this.from = s("text", { class: "axis" });
    this.to = s("text", { class: "axis", "text-anchor": "end" });
    this.svg = s("svg", { role: "img", height: HEIGHT }, this.floor, this.steps, this.threshold, this.enough, this.area,
      this.proof, this.against, this.cursor, ...this.ends, this.from, this.to);
    this.slider = h("input", { type: "range", min: 0, step: 1, value: 0, class: "moment", "aria-label": `Moment in the chart of ${chart.check}` });
    this.slider.addEventListener("input", () => this.point());
    this.readout = h("p", { class: "readout" });
    this.sentence = h("p", { class: "text" });
    this.element = h("article", { class: "check" }, h("header", {}, this.title, this.state), this.sentence, this.numbers,
      h("div", { class: "plot" }, this.svg, this.slider), this.readout);
    this.element.chart = this;
    this.svg.addEventListener("pointermove", (event) => this.hover(event));
    this.svg.addEventListener("pointerleave", () => this.rest());
    this.width = 0;
    new ResizeObserver(() => this.draw()).observe(this.svg);
    this.chart = chart;
    this.marks = [];
  }

  show(chart, marks, since) {
    const atEnd = this.chart === chart || Number(this.slider.value) >= this.chart.points.length - 1;
    this.chart = chart;
    this.marks = marks;
    this.since = since;
    set(this.state, { class: `state ${chart.state}` });
    say(this.state, STATES[chart.state] ?? chart.state);
    this.explain();
    this.slider.max = Math.max(0, chart.points.length - 1);
    this.slider.hidden = chart.points.length < 2;
    if (atEnd) this.rest();
    this.draw();
  }

  explain() {
    const { chart } = this;
    const counted = chart.comparative && chart.new.length && (chart.new[0] || chart.old[0]);
    this.numbers.hidden = !counted;
    this.sentence.hidden = Boolean(counted) && ["Pass", "Fail", "TooLittle"].includes(chart.state);
    say(this.sentence, chart.sentence);
    if (!counted) return;
    const rate = ([requests, bad]) => [percent(requests ? bad / requests : 0), `${amount(bad)} of ${amount(requests)}`];
    const [fresh, old] = [rate(chart.new), rate(chart.old)];
    this.numbers.replaceChildren(
      pair("new", fresh), pair("old", old),
      pair("against", [factor(chart.evidence), `of ${chart.needed.toFixed(0)}x`]),
      pair("proof", [factor(chart.proof), `of ${chart.proof_needed.toFixed(0)}x`]));
  }

  draw() {
    const width = this.svg.clientWidth;
    const { points, comparative } = this.chart;
    this.svg.classList.toggle("bare", points.length < 1);
    this.svg.classList.toggle("limit", !comparative);
    if (!width) return;
    const first = points[0]?.[0] ?? 0;
    const span = Math.max(1, (points.at(-1)?.[0] ?? 0) - first);
    const most = comparative ? 1 : Math.max(...points.map((point) => point[1]), ...points.map((point) => point[2]), 1e-9) * 1.1;
    const least = comparative ? 0 : Math.min(0, ...points.map((point) => point[1]));
    this.x = (time) => LEFT + ((width - LEFT - RIGHT) * (time - first)) / span;
    this.y = (value) => TOP + (HEIGHT - TOP - BOTTOM) * (1 - (value - least) / (most - least));
    set(this.svg, { viewBox: `0 0 ${width} ${HEIGHT}`, "aria-label": this.words(points.length - 1) });
    const line = this.y(comparative ? 1 : (points.at(-1)?.[2] ?? 0));
    set(this.threshold, { x1: 0, x2: width, y1: line, y2: line });
    set(this.enough, { x: width - 2, y: line < 14 + TOP ? line - 7 : line - 6, "text-anchor": "end" });
    say(this.enough, comparative ? "enough" : `limit: ${this.chart.comparison} ${points.at(-1)?.[2] ?? ""}`);
    set(this.floor, { x1: 0, x2: width, y1: HEIGHT - BOTTOM, y2: HEIGHT - BOTTOM });
    const path = (index) => points.map((point, n) => `${n ? "L" : "M"}${this.x(point[0]).toFixed(1)},${this.y(point[index]).toFixed(1)}`).join("");
    const curve = path(1);
    set(this.against, { d: curve });
    set(this.area, { d: curve ? `${curve}V${HEIGHT - BOTTOM}H${this.x(first).toFixed(1)}Z` : "" });
    set(this.proof, { d: comparative ? path(2) : "" });
    let free = 0; // up to where there is a label already
    const marks = this.marks.filter(([time]) => time >= first - 30);
    this.steps.replaceChildren(...marks.flatMap(([time, step]) => {
      const x = Math.max(LEFT, this.x(time));
      const line = s("line", { x1: x, x2: x, y1: TOP - 8, y2: HEIGHT - BOTTOM });
      if (x < free || x > width - 95) return [line];
      free = x + 48;
      return [line, s("text", { x: x + 4, y: TOP - 7 }, `step ${step}`)];
    }));
    set(this.from, { x: LEFT, y: HEIGHT - 5 });
    set(this.to, { x: width - RIGHT, y: HEIGHT - 5 });
    say(this.from, points.length ? clock(first) : "");
    say(this.to, points.length > 1 ? `${clock(points.at(-1)[0])} UTC` : "");
    this.point();
  }

  hover(event) {
    const { points } = this.chart;
    if (points.length < 2 || !this.x) return;
    const place = event.clientX - this.svg.getBoundingClientRect().left;
    let best = 0;
    points.forEach((point, index) => {
      if (Math.abs(this.x(point[0]) - place) < Math.abs(this.x(points[best][0]) - place)) best = index;
    });
    this.slider.value = best;
    this.point();
  }

  rest() {
    this.slider.value = this.slider.max;
    this.point();
  }

  point() {
    const { points, comparative } = this.chart;
    const index = Math.min(points.length - 1, Number(this.slider.value));
    const point = points[index];
    this.readout.hidden = !point;
    if (!point || !this.x) return;
    const x = this.x(point[0]);
    const earlier = index < points.length - 1;
    set(this.cursor, { x1: x, x2: x, y1: TOP, y2: HEIGHT - BOTTOM, class: earlier ? "cursor on" : "cursor" });
    set(this.ends[0], { cx: x, cy: this.y(point[2]), class: comparative ? "end proof" : "end none" });
    set(this.ends[1], { cx: x, cy: this.y(point[1]) });
    const words = this.words(index);
    say(this.readout, words);
    set(this.slider, { "aria-valuetext": words });
  }

  words(index) {
    const { chart } = this;
    const point = chart.points[index];
    if (!point) return `${chart.check}: nothing yet`;
    const [time, first, second] = point;
    if (!chart.comparative) return `${clock(time)}: ${Number(first.toPrecision(4))}, wanted ${chart.comparison} ${second}`;
    const latest = index === chart.points.length - 1;
    const [evidence, proof] = latest ? [chart.evidence, chart.proof] : [chart.needed ** first, chart.proof_needed ** second];
    return `${clock(time)}: worse ${factor(evidence)} of ${chart.needed.toFixed(0)}x, safe ${factor(proof)} of ${chart.proof_needed.toFixed(0)}x`;
  }
}

const NAMES = { new: "New pods", old: "Old pods", against: "Is it worse?", proof: "Is the next step safe?" };

function pair(kind, [value, note]) {
  return h("div", { class: kind }, h("dt", {}, NAMES[kind]), h("dd", {}, h("b", {}, value), h("small", {}, ` ${note}`)));
}
