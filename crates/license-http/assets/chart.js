// Usage over hours and days: a drawing for the eye, the same figures as a table for everybody else.

import { byId, drawing, element, setOptions, setText } from "./dom.js";
import { UNLIMITED, dayOfMonth, number, plural, timeOfDay } from "./words.js";

const HOUR = 60 * 60_000;
const DAY = 24 * HOUR;
const PERIODS = [
  { key: "6h", name: "6 h", title: "Last 6 hours", minutes: 6 * 60, step: 2 },
  { key: "24h", name: "24 h", title: "Last 24 hours", minutes: 24 * 60, step: 10 },
  { key: "30d", name: "30 d", title: "Last 30 days", days: 30 },
  { key: "90d", name: "90 d", title: "Last 90 days", days: 90 },
];
const HEIGHT = 220;
const LEFT = 40;
const RIGHT = 12;
const TOP = 14;
const BOTTOM = 26;

export class Chart {
  period = PERIODS[1];
  points = [];
  at = null;

  /** `wanted` is called when another product or period is chosen. */
  constructor(wanted) {
    this.wanted = wanted;
    this.buttons = PERIODS.map((period) => element("button", { type: "button", "aria-label": `${period.name}: ${period.title.toLowerCase()}`, click: () => this.choose(period) }, period.name));
    byId("chart-range").replaceChildren(...this.buttons);
    byId("chart-product").addEventListener("change", () => wanted());
    this.plot = element("div", { class: "plot" });
    this.readout = element("p", { class: "readout muted", "aria-live": "polite" });
    this.table = element("table", { class: "plain-table" });
    byId("chart").replaceChildren(this.plot, this.readout, element("details", {}, element("summary", {}, "Show as a table"), element("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": "Usage as a table" }, this.table)));
    new ResizeObserver(() => this.draw()).observe(this.plot);
    this.mark();
  }

  choose(period) {
    this.period = period;
    this.at = null;
    this.mark();
    this.wanted();
  }

  mark() {
    PERIODS.forEach((period, index) => this.buttons[index].setAttribute("aria-pressed", String(period === this.period)));
  }

  /** Chooses a product, as the cards do. */
  follow(id) {
    byId("chart-product").value = String(id);
  }

  /** Shows the chosen product and period. */
  show(products, figures, days, now) {
    setOptions(byId("chart-product"), products.map(({ id, name }) => [String(id), name]));
    const product = products.find(({ id }) => String(id) === byId("chart-product").value);
    if (!product) return;
    const { minutes, step, days: length } = this.period;
    this.product = product;
    this.points = length
      ? daily(days ?? [], product, figures, now, length)
      : figures.series(product.id, product.used, now, minutes, step).map((point) => ({ ...point, allowed: product.unlimited ? UNLIMITED : product.allowed }));
    this.draw();
  }

  draw() {
    const { points, product } = this;
    const width = Math.floor(this.plot.clientWidth);
    if (!product || width < 80) return;
    const key = JSON.stringify([width, this.period.key, product.id, product.name, points]);
    if (this.key === key) return;
    this.key = key;
    const limits = points.map(({ allowed }) => allowed).filter((allowed) => allowed && allowed !== UNLIMITED);
    const most = Math.max(1, ...points.map(({ used }) => used));
    const limit = Math.max(0, ...limits);
    // A limit far above what is used would press the curve flat: it is named instead of drawn.
    const drawsLimit = limit > 0 && limit <= 4 * most;
    const ticks = scale(drawsLimit ? Math.max(most, limit) : most);
    const top = ticks[ticks.length - 1];
    const step = (width - LEFT - RIGHT) / points.length;
    const x = (index) => LEFT + index * step;
    const y = (value) => HEIGHT - BOTTOM - value / top * (HEIGHT - TOP - BOTTOM);
    this.shape = { x, y, step, width };
    const parts = ticks.map((tick) => [
      drawing("line", { class: "grid", x1: LEFT, x2: width - RIGHT, y1: y(tick), y2: y(tick) }),
      drawing("text", { class: "label", x: LEFT - 8, y: y(tick) + 4, "text-anchor": "end" }, number(tick)),
    ]);
    parts.push(this.dates(points, x, width));
    parts.push(this.period.days ? bars(points, x, y, step) : area(points, x, y, step));
    if (drawsLimit) parts.push(drawing("path", { class: "limit", d: stairs(points.map(({ allowed }) => (allowed === UNLIMITED ? null : allowed)), x, y, step) }));
    parts.push(points.map(({ refused }, index) => refused && drawing("rect", { class: "refused", x: x(index), y: HEIGHT - BOTTOM, width: Math.max(2, step), height: 4 })));
    this.cursor = drawing("line", { class: "cursor", y1: TOP, y2: HEIGHT - BOTTOM, visibility: "hidden" });
    const said = this.summary(most, limit);
    const svg = drawing("svg", {
      viewBox: `0 0 ${width} ${HEIGHT}`, width, height: HEIGHT, role: "img", tabindex: 0, "aria-label": `${said} Arrow keys read it step by step.`,
      pointermove: (event) => this.point(Math.floor((event.offsetX - LEFT) / step)),
      pointerleave: () => this.point(null),
      keydown: (event) => this.keyed(event),
      blur: () => this.point(null),
    }, parts, this.cursor);
    const focused = this.plot.contains(document.activeElement);
    this.plot.replaceChildren(svg);
    if (focused) svg.focus({ preventScroll: true });
    this.said = said;
    this.point(this.at);
    this.fillTable();
  }

  summary(most, limit) {
    const refused = this.points.reduce((sum, point) => sum + point.refused, 0);
    const bound = this.product.unlimited ? "unlimited" : `${number(limit || this.product.allowed)} allowed`;
    return `${this.product.name}, ${this.period.title.toLowerCase()}: at most ${number(Math.max(0, ...this.points.map(({ used }) => used)))} used, ${bound}, ${refused ? plural(refused, "refusal") : "no refusals"}.`;
  }

  point(index) {
    const { points, shape } = this;
    this.at = index === null || !points.length ? null : Math.max(0, Math.min(points.length - 1, index));
    if (this.at === null) {
      this.cursor?.setAttribute("visibility", "hidden");
      setText(this.readout, this.said ?? "");
      return;
    }
    const middle = shape.x(this.at) + shape.step / 2;
    this.cursor.setAttribute("visibility", "visible");
    this.cursor.setAttribute("x1", middle);
    this.cursor.setAttribute("x2", middle);
    setText(this.readout, `${this.when(points[this.at])}: ${this.figuresOf(points[this.at])}`);
  }

  keyed(event) {
    const steps = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10 }[event.key];
    if (steps === undefined && event.key !== "Home" && event.key !== "End") return;
    event.preventDefault();
    const last = this.points.length - 1;
    this.point(event.key === "Home" ? 0 : event.key === "End" ? last : (this.at ?? last + 1) + steps);
  }

  when({ at }) {
    if (this.period.days) return new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeZone: "UTC" }).format(at);
    return `${dayOfMonth(at)}, ${timeOfDay(at)}`;
  }

  figuresOf({ used, allowed, refused, minutes }) {
    const parts = [`at most ${number(used)} used`, allowed === UNLIMITED ? "unlimited" : `${number(allowed)} allowed`];
    if (refused) parts.push(plural(refused, "refusal"));
    if (minutes) parts.push(`nothing left for ${plural(minutes, "minute")}`);
    return parts.join(", ");
  }

  dates(points, x, width) {
    const every = this.period.days ? 1 : null;
    const labels = [];
    const room = 56;
    let free = LEFT;
    points.forEach(({ at }, index) => {
      const isTick = every ? true : new Date(at).getMinutes() === 0;
      if (!isTick || x(index) < free || x(index) > width - RIGHT - 30) return;
      labels.push(drawing("text", { class: "label", x: x(index), y: HEIGHT - 6 }, this.period.days ? new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", timeZone: "UTC" }).format(at) : timeOfDay(at)));
      free = x(index) + room;
    });
    return labels;
  }

  fillTable() {
    const head = ["When", "Most used", "Allowed", "Refusals"].map((name) => element("th", { scope: "col" }, name));
    const rows = this.points.toReversed().map((point) => element("tr", {},
      element("th", { scope: "row" }, this.when(point)),
      [number(point.used), point.allowed === UNLIMITED ? "unlimited" : number(point.allowed), number(point.refused)].map((text) => element("td", {}, text))));
    this.table.replaceChildren(element("caption", { class: "hidden" }, this.said), element("thead", {}, element("tr", {}, head)), element("tbody", {}, rows));
  }
}

/** The days of the server's report, and today as far as it went. */
function daily(days, product, figures, now, length) {
  const today = Math.floor(now / DAY) * DAY;
  const known = new Map(days.filter(({ productId }) => productId === product.id).map((figure) => [Date.parse(figure.date), figure]));
  const points = [];
  for (let at = today - (length - 1) * DAY; at <= today; at += DAY) {
    const figure = known.get(at);
    if (figure) points.push({ at, used: figure.peakUsedCount, allowed: figure.allowedCount, refused: figure.refused, minutes: Math.round(figure.secondsWithNothingLeft / 60) });
    else points.push({ at, used: 0, allowed: product.unlimited ? UNLIMITED : product.allowed, refused: 0 });
  }
  const minutes = Math.ceil((now - today) / 60_000);
  const latest = figures.series(product.id, product.used, now, minutes, 1);
  const last = points[points.length - 1];
  last.used = Math.max(last.used, ...latest.map(({ used }) => used));
  last.refused = Math.max(last.refused, latest.reduce((sum, { refused }) => sum + refused, 0));
  return points;
}

function area(points, x, y, step) {
  const line = stairs(points.map(({ used }) => used), x, y, step);
  const floor = y(0);
  return [
    drawing("path", { class: "area", d: `${line}L${x(points.length)},${floor}L${x(0)},${floor}Z` }),
    drawing("path", { class: "line", d: line }),
  ];
}

function bars(points, x, y, step) {
  const gap = step > 6 ? 2 : 0.5;
  return points.map(({ used, allowed, minutes }, index) => used > 0 && drawing("rect", {
    class: minutes || (allowed !== UNLIMITED && used >= allowed) ? "day full" : "day",
    x: x(index) + gap / 2, width: Math.max(1, step - gap), y: y(used), height: y(0) - y(used), rx: step > 6 ? 2 : 0,
  }));
}

/** A line in steps; where there is no value, there is no line. */
function stairs(values, x, y, step) {
  let path = "";
  let pen = false;
  values.forEach((value, index) => {
    if (value === null) {
      pen = false;
      return;
    }
    path += `${pen ? "L" : "M"}${x(index).toFixed(1)},${y(value).toFixed(1)}L${(x(index) + step).toFixed(1)},${y(value).toFixed(1)}`;
    pen = true;
  });
  return path;
}

/** Round values from 0 to at least this one. */
function scale(most) {
  const rough = most / 4;
  const power = 10 ** Math.floor(Math.log10(Math.max(1, rough)));
  const step = Math.max(1, [1, 2, 5, 10].map((factor) => factor * power).find((candidate) => candidate >= rough));
  const ticks = [];
  for (let tick = 0; tick < most + step; tick += step) ticks.push(tick);
  return ticks;
}
