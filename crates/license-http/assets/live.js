// Keeps a ledger current: entries as they come, a fresh report where they do not suffice, and where the
// stream does not hold, a report every few seconds. It goes on until it is stopped.

import { Problem, events, get, lines, pathOf, serverNow } from "./api.js";
import { Figures } from "./figures.js";
import { Ledger } from "./ledger.js";

const DAY = 24 * 60 * 60_000;
const POLL = 3000;
const REFRESH = 60_000;
/** Streams that end sooner than this, twice in a row, are not relied on. */
const SHORT = 2000;

export class Live {
  ledger = new Ledger();
  figures = new Figures();
  /** Product and day → figures of the server's report, or null where it has none. */
  days = null;
  /** Names of the servers that may serve a session. */
  servers = new Set(["local"]);
  stopped = new AbortController();
  /** The report on its way, and whether another is wanted after it. */
  reloading = null;
  reloadWanted = false;
  /** What came since that report was asked for: it may tell of it, or not. */
  meanwhile = [];

  /** `changed` is called after every change, `state` with `live`, `polling`, `away` or a Problem that only a person can solve. */
  constructor(license, changed, state) {
    this.license = license;
    this.path = pathOf(license);
    this.changed = changed;
    this.state = state;
  }

  stop() {
    this.stopped.abort();
  }

  async run() {
    let failures = 0;
    let short = 0;
    const refresh = setInterval(() => this.refresh(), REFRESH);
    this.stopped.signal.addEventListener("abort", () => clearInterval(refresh));
    while (!this.stopped.signal.aborted) {
      const began = performance.now();
      try {
        if (short < 2) await this.follow(() => { failures = 0; });
        else await this.poll(() => { failures = 0; });
        short = performance.now() - began < SHORT ? short + 1 : 0;
      } catch (problem) {
        if (this.stopped.signal.aborted) return;
        if (problem instanceof Problem && needsPerson(problem)) return this.state(problem);
        failures += 1;
        // The streams that it ended shortly before it went away tell nothing of those after.
        short = 0;
        this.state("away");
      }
      // Many pages that lost one server do not come back at one instant.
      await pause(Math.min(5000, 250 * 2 ** failures) * (0.5 + Math.random() / 2), this.stopped.signal);
    }
  }

  /** Shows what is held, then what the log told in the last day, then every entry that follows. */
  async follow(succeeded) {
    const { signal } = this.stopped;
    if (!this.ledger.info) await this.reload();
    await this.recount(signal);
    for await (const { kind, data } of events(`${this.path}/events`, this.figures.sequence, signal)) {
      if (kind === "open") {
        // What the report lacks, the stream tells from here on.
        await this.reload();
        succeeded();
        this.state("live");
      } else if (kind === "reset") {
        this.figures = new Figures();
        return;
      } else if (data) {
        const entry = JSON.parse(data);
        this.note(entry);
        if (this.reloading) this.meanwhile.push(entry);
        if (this.ledger.apply(entry)) this.refresh();
        this.changed(entry);
      }
    }
  }

  /** Asks again and again for half a minute; the stream may work then. */
  async poll(succeeded) {
    for (let round = 0; round < 10 && !this.stopped.signal.aborted; round += 1) {
      await this.reload();
      await this.recount(this.stopped.signal);
      succeeded();
      this.state("polling");
      await pause(POLL, this.stopped.signal);
    }
  }

  /** Reads the entries that the figures do not know yet. */
  async recount(signal) {
    const from = this.figures.sequence
      ? `after=${this.figures.sequence}`
      : `from=${encodeURIComponent(new Date(serverNow() - DAY).toISOString())}`;
    for await (const entry of lines(`${this.path}/history?kind=retained,released,refused&${from}`, signal)) this.note(entry);
    this.figures.trim(serverNow());
    this.changed();
  }

  note(entry) {
    this.figures.apply(entry);
    this.servers.add(entry.server);
  }

  /** Takes a fresh report; while one is on its way, exactly one more is taken after it. */
  reload() {
    if (this.reloading) {
      this.reloadWanted = true;
      return this.reloading;
    }
    this.reloading = this.report().finally(() => {
      this.reloading = null;
      if (!this.reloadWanted) return;
      this.reloadWanted = false;
      setTimeout(() => this.refresh(), 500);
    });
    return this.reloading;
  }

  /** A report that may fail: the stream, or the next one, will tell. */
  refresh() {
    this.figures.trim(serverNow());
    this.reload().catch(() => {});
  }

  async report() {
    const { signal } = this.stopped;
    this.meanwhile = [];
    const [info, usage, servers] = await Promise.all([
      get(this.path, signal),
      collect(`${this.path}/usage?server=all`, signal),
      get("v1/servers", signal),
    ]);
    for (const { name } of servers) this.servers.add(name);
    this.ledger.load(info, usage, await this.servedBy(usage, signal));
    for (const entry of this.meanwhile) this.ledger.apply(entry);
    this.changed();
  }

  /** Token → server: what the report of each server lists. */
  async servedBy(usage, signal) {
    const servedBy = new Map();
    if (usage.length) {
      await Promise.all([...this.servers].map(async (name) => {
        const listed = await collect(`${this.path}/usage?server=${encodeURIComponent(name)}`, signal);
        for (const { token } of listed) servedBy.set(token, name);
      }));
    }
    return servedBy;
  }
}

/** Waiting does not help: a credential is needed, or there is no such license. */
function needsPerson({ status }) {
  return status >= 400 && status < 500 && status !== 429;
}

async function collect(path, signal) {
  const values = [];
  for await (const value of lines(path, signal)) values.push(value);
  return values;
}

function pause(milliseconds, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener("abort", () => { clearTimeout(timer); resolve(); }, { once: true });
  });
}
