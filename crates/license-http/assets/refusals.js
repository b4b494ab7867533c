// Who was refused in the last day, the newest first.

import { byId, element, setText } from "./dom.js";
import { REFUSED, ago, fullTime, plural } from "./words.js";

const SHOWN = 50;

export function showRefusals(refusals, products, chosen, now) {
  const wanted = chosen === null ? refusals : refusals.filter(({ product }) => product === chosen);
  const times = wanted.reduce((sum, refusal) => sum + refusal.times, 0);
  setText(byId("refusals-count"), times ? `${plural(times, "refusal")}, last 24 hours` : "last 24 hours");
  const names = new Map(products.map(({ id, name }) => [id, name]));
  const rows = wanted.slice(0, SHOWN).map((refusal) => element("li", {},
    element("span", { class: "main" }, refusal.who || refusal.session, refusal.times > 1 && element("span", { class: "times" }, ` ×${refusal.times}`)),
    element("time", { class: "muted", datetime: new Date(refusal.at).toISOString(), title: fullTime(refusal.at) }, ago(now - refusal.at)),
    element("span", { class: "minor" }, [names.get(refusal.product) ?? String(refusal.product), REFUSED[refusal.code] ?? refusal.code, refusal.address].filter(Boolean).join(", "))));
  const place = byId("refusals");
  const key = JSON.stringify([chosen, rows.map((row) => row.textContent)]);
  if (place.dataset.key === key) return;
  place.dataset.key = key;
  if (rows.length) place.replaceChildren(element("ul", { class: "refusals", tabindex: 0, "aria-labelledby": "refusals-title" }, rows));
  else place.replaceChildren(element("div", { class: "empty" }, element("p", {}, "No session was refused.")));
}
