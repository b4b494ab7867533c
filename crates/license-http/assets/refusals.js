// Who was refused in the last day, the newest first.

import { byId, element, setText } from "./dom.js";
import { REFUSED, ago, fullTime, plural } from "./words.js";

const SHOWN = 50;

export function showRefusals(refusals, products, chosen, now) {
  const wanted = chosen === null ? refusals : refusals.filter(({ product }) => product === chosen);
  const times = wanted.reduce((sum, refusal) => sum + refusal.times, 0);
  setText(byId("refusals-count"), times ? `${plural(times, "refusal")}, last 24 hours` : "last 24 hours");
  const names = new Map(products.map(({ id, name }) => [id, name]));
  const place = byId("refusals");
  if (!wanted.length) return showNone(place);
  const list = place.querySelector("ul") ?? element("ul", { class: "refusals", tabindex: 0, "aria-labelledby": "refusals-title" });
  if (!list.isConnected) place.replaceChildren(list);
  const rows = wanted.slice(0, SHOWN);
  while (list.children.length > rows.length) list.lastElementChild.remove();
  rows.forEach((refusal, index) => {
    const item = list.children[index] ?? list.appendChild(row());
    const what = [names.get(refusal.product) ?? String(refusal.product), REFUSED[refusal.code] ?? refusal.code, refusal.address];
    setText(item.querySelector(".main"), refusal.who || refusal.session || plural(refusal.sessions ?? 0, "session"));
    setText(item.querySelector(".times"), refusal.times > 1 ? `×${refusal.times}` : "");
    setText(item.querySelector("time"), ago(now - refusal.at));
    item.querySelector("time").title = fullTime(refusal.at);
    setText(item.querySelector(".minor"), what.filter(Boolean).join(", "));
  });
}

const row = () => element("li", {}, element("span", { class: "main" }), element("span", { class: "times" }), element("time", { class: "muted" }), element("span", { class: "minor" }));

function showNone(place) {
  if (place.querySelector(".empty")) return;
  place.replaceChildren(element("div", { class: "empty" }, element("p", {}, "No session was refused.")));
}
