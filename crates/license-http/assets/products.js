// What the license allows and how much of it is used: one card a product, and what needs attention.

import { byId, element, setText } from "./dom.js";
import { UNLIMITED, ago, daysLeft, lastDay, number, plural, productId } from "./words.js";

/** Days before an end of which the page warns. */
const SOON = 30;
const DAY = 24 * 60 * 60_000;

/** Shows the cards, and marks that of the chosen product; `clicked` is called with the product whose card a person clicks. */
export function showProducts(products, figures, chosen, clicked, now) {
  const list = byId("products");
  const shown = new Map([...list.children].map((item) => [item.dataset.product, item]));
  const items = products.map(({ id }) => shown.get(String(id)) ?? card(id, clicked));
  if (items.length !== list.children.length || items.some((item, index) => item !== list.children[index])) list.replaceChildren(...items);
  products.forEach((product, index) => {
    const facts = describe(product, figures.refused(product.id), now);
    facts.chosen = product.id === chosen;
    const key = JSON.stringify(facts);
    if (items[index].dataset.key === key) return;
    items[index].dataset.key = key;
    fillCard(items[index], facts);
  });
}

/** What a person should know first, the gravest first: `{level, text, product}`. */
export function attention(info, products, figures, holders, now) {
  const found = [];
  const tell = (level, text, filter) => found.push({ level, text, filter });
  if (info.expirationDate) {
    const days = daysLeft(info.expirationDate, now);
    if (days === 0) tell("bad", `The license expired on ${lastDay(info.expirationDate)}: nothing more can be retained`);
    else if (days <= SOON) tell(days <= 14 ? "bad" : "warn", `The license expires on ${lastDay(info.expirationDate)}, ${inDays(days)}`);
  }
  if (info.renewalFailureCount) tell("warn", `The automatic renewal of the license failed ${plural(info.renewalFailureCount, "time")}`);
  for (const product of products) {
    const { id, name, used, allowed, over } = product;
    const filter = { product: id };
    const level = levelOf(product);
    if (over) tell("bad", `${name}: ${number(over)} more in use than allowed. They stay until released; nobody new is admitted`, filter);
    else if (level === "full") tell("bad", `${name}: none of ${number(allowed)} left. The next session is refused`, filter);
    else if (level === "expired") tell("bad", `${name}: every right has expired`, filter);
    else if (level === "scarce") tell("warn", `${name}: ${number(product.free)} of ${number(allowed)} left (${Math.floor(used / allowed * 100)} % used)`, filter);
    for (const { count, date, days } of expiring(product, now)) {
      const what = count === UNLIMITED ? "the unlimited right expires" : `${plural(count, "license")} of ${number(allowed)} ${count === 1 ? "expires" : "expire"}`;
      tell(days <= 14 ? "bad" : "warn", `${name}: ${what} on ${lastDay(date)}, ${inDays(days)}`, filter);
    }
    const refused = figures.refused(id);
    if (refused) {
      const latest = figures.refusals.find((refusal) => refusal.product === id);
      tell("warn", `${name}: ${plural(refused, "refusal")} in the last 24 hours${latest ? `, the latest ${ago(now - latest.at)}` : ""}`, { ...filter, refusals: true });
    }
  }
  const sleeping = [...holders.values()].filter(({ state, since }) => state === "sleeping" && now - since > DAY);
  if (sleeping.length) tell("info", `${plural(sleeping.length, "sleeping session")} held a license for over a day`, { state: "sleeping" });
  const several = severalOf(holders);
  if (several.size) tell("info", `${plural(several.size, "user holds", "users hold")} several licenses of one product`, { state: "several" });
  const order = { bad: 0, warn: 1, info: 2 };
  return found.sort((one, other) => order[one.level] - order[other.level]);
}

/** Shows them; `follow` is called with the filter of the one that is clicked. */
export function showAttention(found, follow) {
  const list = byId("attention");
  const words = { bad: "Urgent", warn: "Warning", info: "Note", good: "" };
  const nothing = { level: "good", text: "Nothing. Licenses are left of every product, and none was refused in the last 24 hours." };
  const wanted = found.length ? found : [nothing];
  while (list.children.length > wanted.length) list.lastElementChild.remove();
  wanted.forEach(({ level, text, filter }, index) => {
    let item = list.children[index];
    // A line is changed in place, or a click that begins on it could end on another.
    if (!item || Boolean(item.filter) !== Boolean(filter)) {
      const line = filter ? element("button", { type: "button", class: "link", click: () => follow(fresh.filter) }) : element("span");
      const fresh = element("li", {}, element("span", { class: "hidden" }), line);
      if (item) item.replaceWith(fresh);
      else list.append(fresh);
      item = fresh;
    }
    item.filter = filter;
    item.className = level;
    setText(item.firstElementChild, words[level] && `${words[level]}: `);
    setText(item.lastElementChild, text);
  });
}

/** Users with more than one license of a product, as keys of `userAndProduct`. */
export function severalOf(holders) {
  const once = new Set();
  const several = new Set();
  for (const holder of holders.values()) {
    if (!holder.who) continue;
    const key = userAndProduct(holder);
    (once.has(key) ? several : once).add(key);
  }
  return several;
}

export const userAndProduct = ({ who, product }) => `${product}\n${who}`;

function levelOf({ used, allowed, unlimited, allRights }) {
  if (unlimited) return "open";
  if (used > allowed) return "over";
  if (allowed === 0) return allRights.length && allRights.some((right) => right.count) ? "expired" : "none";
  if (used === allowed) return "full";
  return used / allowed >= 0.9 ? "scarce" : "fine";
}

function expiring(product, now) {
  return product.rights
    .filter((right) => right.expirationDate && right.count)
    .map((right) => ({ count: right.count, date: right.expirationDate, days: daysLeft(right.expirationDate, now) }))
    .filter(({ days }) => days <= SOON)
    .sort((one, other) => one.days - other.days);
}

/** How far away the last day is. */
const inDays = (days, today = "today is the last day") => (days === 1 ? today : `in ${plural(days - 1, "day")}`);

/** Everything that a card shows. */
function describe(product, refused, now) {
  const { used, allowed, unlimited, free, over } = product;
  const notes = expiring(product, now).map(({ count, days }) => ({ level: days <= 14 ? "bad" : "warn", text: `${count === UNLIMITED ? "Unlimited" : number(count)} ${count === 1 || count === UNLIMITED ? "ends" : "end"} ${inDays(days, "today")}` }));
  if (refused) notes.push({ level: "warn", text: `${number(refused)} refused` });
  const next = product.rights.filter((right) => right.expirationDate).map((right) => right.expirationDate)
    .sort((one, other) => daysLeft(one, now) - daysLeft(other, now))[0];
  return {
    name: product.name, level: levelOf(product), used, allowed, unlimited, notes,
    left: unlimited ? "Unlimited" : over ? `${number(over)} over` : allowed === 0 ? "None allowed" : `${number(free)} free`,
    until: next ? `Until ${lastDay(next)}` : product.rights.length || !product.allRights.length ? "No end" : ended(product, now),
  };
}

/** Since when nothing of a product counts. */
function ended({ allRights }, now) {
  const past = allRights.map((right) => right.expirationDate).filter((date) => date && daysLeft(date, now) === 0);
  const day = ({ year, month, day }) => Date.UTC(year, month - 1, day);
  const last = past.sort((one, other) => day(other) - day(one))[0];
  return last ? `Ended ${lastDay(last)}` : "Expired";
}

/** The card of a product, empty; it stays as long as the product does. */
function card(id, clicked) {
  const button = element("button", { type: "button", click: () => clicked(id) },
    element("span", { class: "card-head" }, element("span", { class: "name" }), element("span", { class: "id" }, productId(id))),
    element("span", { class: "card-figures" }, element("span", { class: "used" }, element("b"), element("span")), element("span", { class: "left" })),
    element("span", { class: "bar", role: "img" }, element("span", { class: "fill" })),
    element("span", { class: "card-notes" }));
  return element("li", { "data-product": id }, button);
}

function fillCard(item, { name, level, used, allowed, unlimited, notes, left, until, chosen }) {
  const part = (css) => item.querySelector(css);
  part("button").className = `card ${level}`;
  part("button").setAttribute("aria-pressed", String(chosen));
  setText(part(".name"), name);
  setText(part(".used b"), number(used));
  setText(part(".used span"), unlimited ? " used" : ` of ${number(allowed)} used`);
  setText(part(".left"), left);
  part(".bar").setAttribute("aria-label", unlimited ? `${number(used)} used, unlimited` : `${number(used)} of ${number(allowed)} used`);
  part(".fill").style.width = `${unlimited || !allowed ? 0 : Math.min(1, used / allowed) * 100}%`;
  part(".card-notes").replaceChildren(
    ...notes.map(({ level: of, text }) => element("span", { class: `tag ${of}` }, text)),
    element("span", { class: "muted" }, until));
}
