// Who holds what: searched, filtered, sorted, and as many rows on the page as can be seen.

import { byId, element, setOptions, setText } from "./dom.js";
import { severalOf, userAndProduct } from "./products.js";
import { duration, fullTime, number, plural, productId } from "./words.js";
import { Rows } from "./rows.js";

const COLUMNS = [
  { key: "who", name: "Holder" },
  { key: "machine", name: "From" },
  { key: "name", name: "Product" },
  { key: "since", name: "Since" },
  { key: "reason", name: "Reason" },
  { key: "server", name: "Server" },
  { key: "state", name: "State" },
  { key: "token", name: "Token" },
];
const STATES = [["", "Any state"], ["active", "Active"], ["postponed", "Postponed"], ["sleeping", "Sleeping"], ["several", "Several per user"]];
const compareText = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" }).compare;

export class Holders {
  order = { key: "since", down: true };
  filter = { text: "", product: "", state: "", server: "" };
  held = [];
  ledger = null;

  /** `release` is called with the holder whose button is pressed, `filtered` after the filter changed. */
  constructor({ release, filtered }) {
    this.release = release;
    this.filtered = filtered;
    this.heads = COLUMNS.map((column) => {
      const button = element("button", { type: "button", click: () => this.sortBy(column.key) }, column.name);
      return element("th", { role: "columnheader", scope: "col", class: column.key }, button);
    });
    const last = element("th", { role: "columnheader", scope: "col", class: "act" }, element("span", { class: "hidden" }, "Actions"));
    this.body = element("tbody", { role: "rowgroup" });
    this.table = element("table", { role: "table", "aria-labelledby": "holders-title", class: "rows" },
      element("thead", { role: "rowgroup" }, element("tr", { role: "row", "aria-rowindex": 1 }, this.heads, last)), this.body);
    this.nothing = element("div", { class: "empty" });
    byId("table").replaceChildren(this.table, this.nothing);
    this.rows = new Rows(this.body, { keyOf: ({ token }) => token, make: (holder) => this.row(holder), update: (row, holder) => this.update(row, holder) });
    this.controls();
    this.markOrder();
  }

  /** Shows this ledger as it is now. */
  show(ledger, now) {
    this.ledger = ledger;
    this.now = now;
    setOptions(byId("filter-product"), [["", "Any product"], ...(ledger.info?.products ?? []).map(({ id, name }) => [String(id), name])]);
    const servers = [...new Set([...ledger.holders.values()].map(({ server }) => server))].filter(Boolean).sort(compareText);
    setOptions(byId("filter-server"), [["", "Any server"], ...servers.map((name) => [name, name])]);
    this.render();
  }

  /** Sets parts of the filter, as if they were chosen. */
  narrow(filter) {
    Object.assign(this.filter, filter);
    byId("search").value = this.filter.text;
    byId("filter-product").value = this.filter.product;
    byId("filter-state").value = this.filter.state;
    byId("filter-server").value = this.filter.server;
    this.changed();
  }

  clear() {
    this.narrow({ text: "", product: "", state: "", server: "" });
  }

  controls() {
    setOptions(byId("filter-state"), STATES);
    setOptions(byId("sort"), COLUMNS.flatMap(({ key, name }) => [[`${key} up`, `${name}, ascending`], [`${key} down`, `${name}, descending`]]));
    const read = (id, part) => byId(id).addEventListener("input", ({ target }) => { this.filter[part] = target.value; this.changed(); });
    read("search", "text");
    read("filter-product", "product");
    read("filter-state", "state");
    read("filter-server", "server");
    byId("sort").addEventListener("change", ({ target }) => {
      const [key, way] = target.value.split(" ");
      this.order = { key, down: way === "down" };
      this.ordered();
    });
    byId("clear").addEventListener("click", () => { this.clear(); byId("search").focus(); });
  }

  sortBy(key) {
    this.order = { key, down: this.order.key === key ? !this.order.down : key === "since" };
    this.ordered();
  }

  ordered() {
    this.markOrder();
    this.rows.forgetPlace();
    this.render();
  }

  markOrder() {
    const { key, down } = this.order;
    COLUMNS.forEach((column, index) => {
      if (column.key === key) this.heads[index].setAttribute("aria-sort", down ? "descending" : "ascending");
      else this.heads[index].removeAttribute("aria-sort");
    });
    byId("sort").value = `${key} ${down ? "down" : "up"}`;
  }

  changed() {
    this.rows.forgetPlace();
    this.render();
    this.filtered(this.filter);
  }

  render() {
    if (!this.ledger) return;
    const all = this.ledger.holders.size;
    this.held = this.matching();
    this.sort(this.held);
    const isFiltered = Object.values(this.filter).some(Boolean);
    byId("clear").hidden = !isFiltered;
    setText(byId("holders-count"), isFiltered ? `${number(this.held.length)} of ${number(all)}` : plural(all, "license"));
    this.table.hidden = this.held.length === 0;
    this.nothing.hidden = this.held.length > 0;
    if (!this.held.length) this.showNothing(all);
    this.table.setAttribute("aria-rowcount", this.held.length + 1);
    this.rows.show(this.held);
  }

  matching() {
    const { text, product, state, server } = this.filter;
    const words = text.toLowerCase().split(/\s+/).filter(Boolean);
    const several = state === "several" && severalOf(this.ledger.holders);
    return [...this.ledger.holders.values()].filter((holder) =>
      (!product || String(holder.product) === product)
      && (!server || holder.server === server)
      && (!state || (several ? several.has(userAndProduct(holder)) : holder.state === state))
      && words.every((word) => holder.text.includes(word)));
  }

  sort(held) {
    const { key, down } = this.order;
    const way = down ? -1 : 1;
    const compare = key === "since" || key === "token"
      ? (one, other) => one[key] - other[key]
      : (one, other) => compareText(one[key], other[key]);
    held.sort((one, other) => way * (compare(one, other) || one.token - other.token));
  }

  row(holder) {
    const cell = (name, ...content) => element("td", { role: "cell", class: name }, content);
    const account = holder.account && holder.account !== holder.who ? holder.account : "";
    const place = [holder.machine, holder.address].filter(Boolean);
    const row = element("tr", { role: "row" },
      cell("who", element("span", { class: "main", title: holder.session ? `Session ${holder.session}` : null }, holder.who || "(no name)"), minor([account, holder.kind].filter(Boolean).join(", "))),
      cell("machine", element("span", { class: "main" }, place[0] ?? "unknown"), minor(place[1] ?? "")),
      cell("name", element("span", { class: "main" }, holder.name), minor(productId(holder.product)), element("span", { class: "minor compact" }, holder.reason)),
      cell("since", element("time", { class: "main", datetime: new Date(holder.since).toISOString(), title: fullTime(holder.since) }), minor(fullTime(holder.since))),
      cell("reason", element("span", { class: "main", title: holder.reason }, holder.reason)),
      cell("server", element("span", { class: "main", title: holder.server })),
      cell("state", element("span", { class: "state" }), element("span", { class: "minor compact" })),
      cell("token", element("span", { class: "main" }, String(holder.token))),
      cell("act", element("button", { type: "button", "aria-label": `Release ${holder.name} held by ${holder.who || "nobody named"}, token ${holder.token}`, click: () => this.release(holder) }, "Release")));
    if (this.now - holder.since < 3000) row.classList.add("new");
    return row;
  }

  /** What of a row changes while it is held. */
  update(row, holder) {
    setText(row.querySelector("time"), duration(this.now - holder.since));
    setText(row.querySelector(".server .main"), holder.server || "unknown");
    setText(row.querySelector(".state .compact"), `#${holder.token} ${holder.server}`);
    const state = row.querySelector(".state span");
    setText(state, holder.state ? holder.state[0].toUpperCase() + holder.state.slice(1) : "");
    state.className = `state ${holder.state}`;
  }

  showNothing(all) {
    const key = all ? "filtered" : `none ${this.ledger.info?.products[0]?.id}`;
    if (this.nothing.dataset.key === key) return;
    this.nothing.dataset.key = key;
    if (all) {
      this.nothing.replaceChildren(element("p", {}, "No holder matches."), element("button", { type: "button", click: () => this.clear() }, "Clear filters"));
      return;
    }
    const product = this.ledger.info?.products[0];
    this.nothing.replaceChildren(
      element("p", {}, "Nobody holds a license. Whoever retains one appears here at once."),
      element("p", { class: "muted" }, "Try it from a terminal:"),
      element("pre", {}, element("code", {}, `license retain --product ${product ? productId(product.id) : "0009"} --session try-1 --server ${location.origin}`)));
  }
}

const minor = (text) => text && element("span", { class: "minor", title: text }, text);
