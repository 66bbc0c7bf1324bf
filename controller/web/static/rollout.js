// One rollout: where it stands, its pods, what the checks have gathered, what was decided, and what a person can do.

import { Chart } from "./chart.js";
import { h, keyed, say, set } from "./dom.js";
import { MOODS, ago, clock, counted, now, span } from "./words.js";

export class Rollout {
  constructor(place, key) {
    this.key = key;
    const [namespace, name] = key.split("/");
    this.title = h("h1", { tabindex: "-1" }, h("span", { class: "space" }, `${namespace}/`), name ?? "");
    this.badge = h("p", { class: "badge" });
    this.version = h("p", { class: "version" });
    this.message = h("p", { class: "sentence", "aria-live": "polite" });
    this.next = h("p", { class: "next" });
    this.steps = h("ol", { class: "steps" });
    this.showSteps = keyed(this.steps, (step) => step.number, () => h("li", {}), updateStep);
    this.pods = h("div", { class: "fleets" });
    this.showFleets = keyed(this.pods, (fleet) => fleet.version, makeFleet, updateFleet);
    this.troubles = h("ul", { class: "troubles" });
    this.showTroubles = keyed(this.troubles, (pod) => pod.name, () => h("li", {}), updateTrouble);
    this.charts = h("div", { class: "charts" });
    this.showCharts = keyed(this.charts, (chart) => chart.check, (chart) => new Chart(chart).element,
      (element, chart) => element.chart.show(chart, this.marks, this.since));
    this.unchecked = h("p", { class: "hint" }, "No metrics are compared: only crashes, restarts and readiness of its pods are judged.");
    this.ways = h("ul", { class: "ways" });
    this.showWays = keyed(this.ways, (way) => `${way.do} ${way.penstock} ${way.kubectl}`, makeWay, updateWay);
    this.said = h("ol", { class: "told" });
    this.showSaid = keyed(this.said, (said) => `${said.time} ${said.reason}`, makeSaid, () => {});
    this.body = h("div", { class: "columns", hidden: true },
      h("div", { class: "main" },
        card("Steps", this.steps), card("Pods", legend(), this.pods, this.troubles),
        card("Checks", this.unchecked, this.charts)),
      h("div", { class: "side" }, (this.todo = card("What you can do", this.ways)), card("Decisions", this.said)));
    this.ended = h("p", { class: "notice", role: "status", hidden: true });
    place.replaceChildren(
      h("nav", { "aria-label": "Back" }, h("a", { class: "home", href: "#/" }, "← All rollouts")),
      h("header", { class: "headline" }, this.title, this.badge, this.version),
      this.ended, this.message, this.next, this.body);
    this.shown = null;
    this.marks = [];
    this.since = 0;
  }

  show(whole, row, results) {
    const result = results.find((one) => one.key === this.key);
    if (whole === undefined) return;
    if (whole === null) {
      say(this.message, result ? result.message : "This Deployment has no active rollout.");
      say(this.next, result ? `It ended ${ago(result.ended)}.` : `penstock status ${this.key.split("/").reverse().join(" -n ")}`);
      return;
    }
    const over = !row && result && result.rollout === whole.row.rollout;
    this.ended.hidden = Boolean(row);
    if (!row) say(this.ended, over ? `Over at ${clock(result.ended)} UTC: ${result.message}. What follows is the last view of it.`
      : "It is over. What follows is the last view of it.");
    if (whole === this.shown) return;
    this.shown = whole;
    this.body.hidden = false;
    this.header(whole);
    this.marks = whole.said.filter((said) => said.reason === "StepOpened").map((said) => [said.time, said.message.match(/^step (\d+)/)?.[1] ?? ""]);
    this.since = whole.since;
    const last = { number: 0, pods: whole.row.replicas, written: "", state: whole.row.phase === "Finishing" ? "now" : "ahead", approval: "" };
    this.showSteps([...whole.steps, last]);
    this.showFleets(fleets(whole));
    const troubles = whole.pods.filter((pod) => pod.why).slice(0, 20);
    this.troubles.hidden = !troubles.length;
    this.showTroubles(troubles);
    this.unchecked.hidden = whole.charts.length > 0;
    this.showCharts(whole.charts);
    this.showWays(whole.ways);
    this.todo.classList.toggle("first", whole.ways.some((way) => way.asked));
    this.showSaid([...whole.said].reverse());
    this.tick();
  }

  header(whole) {
    const row = whole.row;
    set(this.badge, { class: `badge ${row.mood}` });
    say(this.badge, MOODS[row.mood] === row.where ? row.where : `${row.where}, ${MOODS[row.mood]}`.replace(", under way", "").replace("finishing, finishing", "finishing"));
    const [old, fresh] = whole.revisions;
    const revision = `revision ${old || "?"} → ${fresh || (row.phase === "Rejected" ? "stays out" : "not running yet")}`;
    say(this.version, [...whole.changes, revision].join(" · "));
    set(this.message, { class: `sentence ${row.mood}` });
    say(this.message, row.message);
  }

  tick() {
    const whole = this.shown;
    if (!whole) return;
    for (const time of this.said.querySelectorAll("time")) time.title = ago(Number(time.dataset.at));
    say(this.next, `Next: ${whole.next}.${left(whole)}`);
  }
}

function left(whole) {
  if (!whole.latest || whole.row.mood === "waiting" || whole.row.mood === "back") return "";
  const moment = now();
  if (moment < whole.earliest) return ` In ${span(whole.earliest - moment)} at the earliest, ${span(whole.latest - moment)} at the latest.`;
  return moment < whole.latest ? ` Within ${span(whole.latest - moment)}.` : "";
}

function card(title, ...children) {
  return h("section", { class: "card" }, h("h2", {}, title), ...children);
}

function legend() {
  return h("p", { class: "legend", "aria-hidden": "true" },
    h("i", { class: "pod new" }), "new ", h("i", { class: "pod old" }), "old ", h("i", { class: "pod new unready" }), "not Ready");
}

const STATES = { done: "done", now: "now", failed: "failed", ahead: "ahead" };
const SIGNS = { done: "✓", failed: "✕" };

function updateStep(item, step) {
  const final = step.number === 0;
  item.className = step.state;
  set(item, step.state === "now" ? { "aria-current": "step" } : {});
  if (step.state !== "now") item.removeAttribute("aria-current");
  const person = { needed: "asks a person", given: "approved" }[step.approval] ?? "";
  item.replaceChildren(
    h("span", { class: "dot", "aria-hidden": "true" }, SIGNS[step.state] ?? (final ? "" : String(step.number))),
    h("span", { class: "hidden" }, final ? `all, ${STATES[step.state]}: ` : `step ${step.number}, ${STATES[step.state]}: `),
    h("b", {}, final ? `all ${step.pods}` : counted(step.pods, "pod")),
    h("small", {}, [step.written, person].filter(Boolean).join(" · ")));
}

function fleets(whole) {
  const row = whole.row;
  const kinds = [
    { version: "new", title: "New", note: `${row.allowed} allowed`, pods: [] },
    { version: "other", title: "Between", note: "of versions that are going", pods: [] },
    { version: "old", title: "Old", note: "", pods: [] },
  ];
  for (const pod of whole.pods) kinds.find((kind) => kind.version === pod.version).pods.push(pod);
  return kinds.filter((kind) => kind.pods.length || kind.version !== "other");
}

function makeFleet() {
  const list = h("ul", { class: "grid" });
  const element = h("div", { class: "fleet" }, h("h3", {}), list);
  element.show = keyed(list, (pod) => pod.name, () => h("li", {}), updatePod);
  return element;
}

function updateFleet(element, fleet) {
  const unready = fleet.pods.filter((pod) => !pod.ready).length;
  const words = [String(fleet.pods.length), unready ? `${unready} not Ready` : "", fleet.note].filter(Boolean).join(", ");
  element.firstChild.replaceChildren(fleet.title, " ", h("span", { class: "number" }, words));
  set(element.lastChild, { "aria-label": `${fleet.title} pods` });
  element.show(fleet.pods);
}

function updatePod(item, pod, before) {
  if (before && before.ready === pod.ready && before.why === pod.why && before.version === pod.version) return;
  item.className = `pod ${pod.version}${pod.ready ? "" : " unready"}`;
  const words = `${pod.name}: ${pod.ready ? "Ready" : "not Ready"}${pod.why && pod.why !== "not Ready yet" ? `, ${pod.why}` : ""}`;
  item.title = words;
  item.replaceChildren(h("span", { class: "hidden" }, words));
}

function updateTrouble(item, pod) {
  item.replaceChildren(h("code", {}, pod.name), ` ${pod.why}`);
}

function makeWay() {
  return h("li", {});
}

function updateWay(item, way) {
  item.className = `way${way.asked ? " asked" : ""} ${way.do}`;
  const commands = [way.penstock, way.kubectl].filter(Boolean).map(command);
  if (way.asked) item.replaceChildren(h("h3", {}, way.title), h("p", {}, way.effect, "."), ...commands);
  else if (item.querySelector("details")) item.querySelector("p").textContent = `${way.effect}.`;
  else item.replaceChildren(h("details", {}, h("summary", {}, h("b", {}, way.title), h("span", { class: "effect" }, way.effect)), h("p", {}, `${way.effect}.`), ...commands));
}

function command(text) {
  const button = h("button", { type: "button", class: "copy", "aria-label": `Copy: ${text}` }, "Copy");
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text);
      say(button, "Copied");
    } catch {
      getSelection().selectAllChildren(button.previousSibling); // without the right to copy it is marked at least
      say(button, "Marked");
    }
    setTimeout(() => say(button, "Copy"), 1500);
  });
  return h("div", { class: "command" }, h("code", {}, text), button);
}

function makeSaid(said) {
  return h("li", { class: said.warning ? "warning" : "" },
    h("time", { "data-at": said.time, datetime: new Date(said.time * 1000).toISOString() }, clock(said.time)),
    h("span", { class: "reason" }, said.reason), h("span", { class: "words" }, said.message));
}
