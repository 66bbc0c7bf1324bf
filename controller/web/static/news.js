// The one source of what is shown: a snapshot, then what has changed since. A lost connection is found again by the
// browser, which says what it had; where that is too old, or another controller answers, all is read anew.

import { synchronise } from "./words.js";

export class News {
  constructor(changed, state) {
    this.rows = new Map();
    this.results = [];
    this.whole = undefined; // of the rollout that is followed; null: it has none
    this.key = "";
    this.changed = changed; // called after each change
    this.state = state; // called with live, lost, or {problem, words}
    this.version = "";
    this.stream = null;
    this.tries = 0;
    this.timer = 0;
  }

  async read() {
    clearTimeout(this.timer);
    this.close();
    let answer;
    try {
      answer = await fetch("api/rollouts", { cache: "no-store" });
      if (answer.status === 401 || answer.status === 503 || answer.status === 421) {
        const told = await answer.json();
        this.state(told);
        if (answer.status !== 401 || told.problem === "proxy") this.again();
        return;
      }
      if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
      const snapshot = await answer.json();
      synchronise(snapshot.time);
      this.rows = new Map(snapshot.rollouts.map((row) => [row.key, row]));
      this.results = snapshot.results;
      this.version = snapshot.version;
    } catch {
      this.state("lost");
      this.again();
      return;
    }
    this.tries = 0;
    this.state("live");
    this.changed();
    this.listen();
  }

  follow(key) {
    if (key === this.key) return;
    this.key = key;
    this.whole = undefined;
    if (this.version) this.listen();
  }

  listen() {
    this.close();
    const query = new URLSearchParams({ since: this.version, rollout: this.key });
    const stream = (this.stream = new EventSource(`api/changes?${query}`));
    stream.onopen = () => this.state("live");
    stream.addEventListener("stale", () => this.read());
    stream.onmessage = (event) => {
      this.version = event.lastEventId;
      this.take(JSON.parse(event.data));
    };
    stream.onerror = () => {
      this.state("lost");
      if (stream.readyState === EventSource.CLOSED) this.again();
    };
  }

  take(news) {
    for (const row of news.rows ?? []) this.rows.set(row.key, row);
    for (const key of news.gone ?? []) this.rows.delete(key);
    if (news.results) this.results = news.results;
    if ("whole" in news && (news.whole || !this.whole)) this.whole = news.whole; // the last view of one that ended stays
    this.changed();
  }

  again() {
    this.close();
    clearTimeout(this.timer);
    this.tries += 1;
    this.timer = setTimeout(() => this.read(), Math.min(10000, 1000 * this.tries));
  }

  close() {
    this.stream?.close();
    this.stream = null;
  }
}
