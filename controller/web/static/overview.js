// All active rollouts, those that wait for a person first, and how the last ones ended.

import { h, keyed, say, set } from "./dom.js";
import { ago, clock, counted } from "./words.js";

const GROUPS = [
  ["waiting", "Waiting for a person"],
  ["held", "Held by something else"],
  ["back", "Taken back"],
  ["moving", "Under way"],
  ["finishing", "Finishing"],
];

export class Overview {
  constructor(place) {
    this.title = h("h1", { tabindex: "-1" }, "Rollouts");
    this.summary = h("p", { class: "summary", role: "status" });
    this.empty = h("p", { class: "empty", hidden: true });
    this.groups = GROUPS.map(([mood, title]) => {
      const number = h("span", { class: "number" });
      const list = h("ul", { class: "rows" });
      const section = h("section", { class: `group ${mood}`, hidden: true }, h("h2", {}, title, " ", number), list);
      return { mood, section, number, show: keyed(list, (row) => row.key, makeRow, updateRow) };
    });
    const list = h("ul", { class: "results" });
    this.results = h("section", { class: "group", hidden: true }, h("h2", {}, "Ended lately"), list,
      h("p", { class: "hint" }, "Since this controller began. Older ones: ", h("code", {}, "penstock history DEPLOYMENT")));
    this.list = keyed(list, (result) => `${result.key} ${result.rollout} ${result.ended}`, makeResult, () => {});
    place.replaceChildren(h("div", { class: "headline" }, this.title, this.summary), this.empty,
      ...this.groups.map((group) => group.section), this.results);
    this.ticks = 0;
  }

  show(rows, results, filter) {
    const all = [...rows.values()];
    const found = filter ? all.filter((row) => row.key.includes(filter)) : all;
    found.sort((a, b) => (a.key < b.key ? -1 : 1));
    for (const group of this.groups) {
      const members = found.filter((row) => row.mood === group.mood);
      group.section.hidden = !members.length;
      say(group.number, String(members.length));
      group.show(members);
    }
    const waiting = all.filter((row) => row.mood === "waiting").length;
    const parts = [all.length ? `${all.length} active` : "none active"];
    if (waiting) parts.push(`${waiting} ${waiting === 1 ? "waits" : "wait"} for a person`);
    if (filter) parts.push(`${found.length} shown`);
    say(this.summary, parts.join(", "));
    this.empty.hidden = found.length > 0;
    say(this.empty, filter ? `No active rollout has ${filter} in its name.`
      : "No rollout is active. One begins when the pod template of an opted-in Deployment changes.");
    const ended = filter ? results.filter((result) => result.key.includes(filter)) : results;
    this.results.hidden = !ended.length;
    this.list(ended);
    this.age();
  }

  tick() {
    if (++this.ticks % 5 === 0) this.age();
  }

  age() {
    for (const time of document.querySelectorAll("#overview time")) {
      say(time, ago(Number(time.dataset.at)));
    }
  }

  focus(key) {
    const link = [...document.querySelectorAll("#overview a.row")].find((row) => row.dataset.key === key);
    (link ?? this.title).focus({ preventScroll: Boolean(!link) });
  }
}

function makeRow(row) {
  const link = h("a", { class: "row", href: `#/${row.key}`, "data-key": row.key });
  link.append(
    h("span", { class: "name" }, h("span", { class: "space" }, `${row.namespace}/`), h("b", {}, row.name)),
    h("span", { class: "progress" }, h("span", { class: "track", "aria-hidden": "true" }), h("span", { class: "pods" })),
    h("span", { class: "gauges" }),
    h("span", { class: "said" }, h("span", { class: "where" }), h("span", { class: "message" })),
    h("time", {}),
  );
  return h("li", {}, link);
}

function updateRow(item, row, before) {
  const [link] = item.children;
  const [, progress, gauges, said, time] = link.children;
  const [track, pods] = progress.children;
  link.className = `row ${row.mood}`;
  bar(track, row);
  say(pods, `${row.new.ready + row.new.unready} of ${counted(row.replicas, "pod")} new${unready(row)}`);
  if (!before || JSON.stringify(before.checks) !== JSON.stringify(row.checks)) gauges.replaceChildren(...row.checks.slice(0, 3).map(gauge));
  say(said.children[0], row.where);
  say(said.children[1], row.message);
  said.title = row.message;
  set(time, { "data-at": row.started || 0 });
  time.hidden = !row.started;
  if (row.started) {
    time.title = `began at ${clock(row.started)} UTC`;
    say(time, ago(row.started));
  }
}

function unready(row) {
  const number = row.new.unready + row.old.unready + row.other.unready;
  return number ? `, ${number} not Ready` : "";
}

// How much is new, with a mark where each step stands.
function bar(track, row) {
  const most = Math.max(1, row.replicas);
  const share = (pods) => `${(100 * Math.min(1, pods / most)).toFixed(2)}%`;
  const parts = [part("fill", row.new.ready), part("broken", row.new.unready)];
  const marks = row.exposures.map((pods, index) => {
    const mark = h("i", { class: index < row.step ? "mark passed" : "mark" });
    mark.style.setProperty("left", share(pods));
    return mark;
  });
  track.replaceChildren(...parts, ...marks);

  function part(kind, pods) {
    const element = h("i", { class: kind });
    element.style.setProperty("width", share(pods));
    return element;
  }
}

function gauge(check) {
  const element = h("span", { class: "gauge", title: `${check.check}: ${check.state}` },
    h("span", { class: "check" }, check.check), meter("against", check.against), meter("proof", check.proof));
  element.append(h("span", { class: "hidden" },
    `: ${Math.round(100 * check.against)}% of the way to being taken back, ${Math.round(100 * check.proof)}% to the next step `));
  return element;
}

function meter(kind, share) {
  const fill = h("i", {});
  fill.style.setProperty("width", `${(100 * share).toFixed(1)}%`);
  return h("span", { class: `meter ${kind}`, "aria-hidden": "true" }, fill);
}

const ENDED = { Promoted: "promoted", Rejected: "taken back", Reverted: "reverted", Released: "released" };

function makeResult(result) {
  const kind = result.reason === "Promoted" ? "good" : result.warning ? "bad" : "";
  return h("li", { class: `result ${kind}` },
    h("span", { class: "verdict" }, ENDED[result.reason] ?? "ended"),
    h("span", { class: "name" }, h("span", { class: "space" }, `${result.namespace}/`), h("b", {}, result.name)),
    h("span", { class: "said" }, h("span", { class: "message", title: result.message }, result.message)),
    h("time", { "data-at": result.ended, title: `${clock(result.ended)} UTC` }, ago(result.ended)));
}
