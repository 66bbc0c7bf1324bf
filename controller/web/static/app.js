// Which view is shown, and what every view has in common. The address after # is NAMESPACE/NAME of a rollout.

import { h, say } from "./dom.js";
import { News } from "./news.js";
import { Overview } from "./overview.js";
import { Rollout } from "./rollout.js";
import { clock, now } from "./words.js";

const at = (id) => document.getElementById(id);
const filter = at("filter");
const overview = new Overview(at("overview"));
let view = null; // the rollout that is shown
let opened = ""; // the one that was shown last, to give the focus back
let frame = 0;
let live = 0;

const news = new News(draw, connection);

// Nothing is drawn before something is known: an empty list would read as "no rollout".
function draw() {
  frame ||= requestAnimationFrame(() => {
    frame = 0;
    if (view) view.show(news.whole, news.rows.get(view.key), news.results);
    else if (news.version) overview.show(news.rows, news.results, filter.value.trim().toLowerCase());
  });
}

function route() {
  const key = decodeURIComponent(location.hash.replace(/^#\/?/, ""));
  if (key === "main") return;
  at("overview").hidden = Boolean(key);
  at("rollout").hidden = !key;
  if (key && view?.key !== key) {
    view = new Rollout(at("rollout"), key);
    opened = key;
    document.title = `${key} – Penstock`;
    scrollTo(0, 0);
    view.title.focus({ preventScroll: true });
  } else if (!key && view) {
    view = null;
    at("rollout").replaceChildren();
    document.title = "Penstock";
    draw();
    if (document.activeElement !== filter) requestAnimationFrame(() => overview.focus(opened));
  }
  news.follow(key);
  draw();
}

function connection(state) {
  const link = at("link");
  if (state === "live") {
    live = now();
    link.className = "link live";
    say(link, "live");
    notice();
    return;
  }
  link.className = "link lost";
  say(link, state === "lost" ? "not connected" : "not answered");
  if (state.problem === "token") signIn();
  else if (state.problem) notice(h("p", {}, state.words), 0);
  else notice(h("p", {}, live ? `Not connected. What stands here is from ${clock(live)} UTC.` : "The controller does not answer."));
}

function notice(...children) {
  const place = at("notice");
  const shown = children.filter(Boolean);
  if (place.querySelector("form") && shown.length && !shown.some((child) => child.tagName === "FORM")) return;
  place.hidden = !shown.length;
  place.replaceChildren(...shown);
}

function signIn() {
  if (at("notice").querySelector("form")) return;
  const field = h("input", { type: "password", id: "token", autocomplete: "current-password", required: true });
  const wrong = h("p", { role: "alert", class: "wrong" });
  const form = h(
    "form",
    { onsubmit: enter },
    h("label", { for: "token" }, "Token"),
    field,
    h("button", { type: "submit" }, "Look"),
    wrong,
  );
  async function enter(event) {
    event.preventDefault();
    say(wrong, "");
    const answer = await fetch("api/session", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ token: field.value }),
    }).catch(() => null);
    if (answer?.ok) {
      form.remove();
      news.read();
    } else say(wrong, answer ? "This is not the token." : "The controller does not answer.");
  }
  notice(form);
  field.focus();
}

filter.addEventListener("input", () => {
  if (view) location.hash = "#/";
  draw();
});
at("skip").addEventListener("click", (event) => {
  event.preventDefault();
  at("main").focus();
});
addEventListener("hashchange", route);
addEventListener("keydown", (event) => {
  const typing = event.target.closest?.("input, textarea");
  if (event.key === "/" && !typing) {
    event.preventDefault();
    filter.focus();
  } else if (event.key === "Escape" && (!typing || event.target.type === "range")) location.hash = "#/";
  else if (event.key === "Escape" && event.target === filter) {
    filter.value = "";
    filter.blur();
    draw();
  }
});
setInterval(() => (view ?? overview).tick(), 1000);
route();
news.read();
