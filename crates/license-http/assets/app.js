// The page as a whole: which license it shows, when it is drawn, and what it says when it cannot be.

import { Problem, credential, get, pathOf, serverNow } from "./api.js";
import { Chart } from "./chart.js";
import { askToRelease, askToSignIn } from "./dialogs.js";
import { byId, element, setOptions, setText } from "./dom.js";
import { Holders } from "./holders.js";
import { Live } from "./live.js";
import { attention, showAttention, showProducts } from "./products.js";
import { showRefusals } from "./refusals.js";
import { lastDay } from "./words.js";

const SECOND = 1000;
const CONNECTION = { connecting: "Connecting", live: "Live", polling: "Every 3 s", away: "Server away: trying again" };

let live = null;
let chosen = null;
let drawing = false;
let drawnIn = 0;

const holders = new Holders({
  release: (holder) => {
    const { license, ledger } = live;
    askToRelease(license, holder, serverNow(), (receipt) => {
      ledger.remove(holder.token);
      draw();
      say(receipt ? `Released ${holder.name}, token ${holder.token}, held by ${holder.who || "nobody named"}.` : `Token ${holder.token} was released already.`);
    });
  },
  filtered: (filter) => {
    choose(filter.product ? Number(filter.product) : null);
  },
});
const chart = new Chart(() => draw());

/** Draws soon, and the more seldom the longer a drawing takes. */
function draw() {
  if (drawing) return;
  drawing = true;
  setTimeout(() => requestAnimationFrame(() => {
    drawing = false;
    const began = performance.now();
    drawNow();
    drawnIn = performance.now() - began;
  }), Math.min(500, drawnIn * 4));
}

function drawNow() {
  if (!live?.ledger.info) return;
  const { ledger, figures } = live;
  const now = serverNow();
  const products = ledger.products(now);
  showNames(ledger.info);
  showAttention(attention(ledger.info, products, figures, ledger.holders, now), follow);
  showProducts(products, figures, chosen, toggle, now);
  chart.show(products, figures, live.days, now);
  showRefusals(figures.refusals, products, chosen, now);
  holders.show(ledger, now);
  byId("content").hidden = false;
  byId("blocked").hidden = true;
  byId("main").setAttribute("aria-busy", "false");
}

/** Shows one product alone, or all again where it was alone already, which the cards may not show yet. */
function toggle(id) {
  holders.narrow({ product: chosen === id ? "" : String(id) });
}

/** Marks a product everywhere. */
function choose(id) {
  if (chosen === id) return;
  chosen = id;
  if (id !== null) chart.follow(id);
  draw();
}

/** Shows what a line of attention speaks of. */
function follow({ refusals, ...filter }) {
  holders.narrow({ text: "", state: "", server: "", product: "", ...filter, ...(filter.product && { product: String(filter.product) }) });
  byId(refusals ? "refusals-title" : "holders").scrollIntoView({ block: refusals ? "center" : "start" });
}

function showNames(info) {
  setText(byId("license-name"), info.name);
  const facts = [info.companyName, info.licenseNumber, info.attributes?.join(", "), info.expirationDate ? `until ${lastDay(info.expirationDate)}` : "no end"];
  setText(byId("license-facts"), facts.filter(Boolean).join(" · "));
  document.title = `${info.name} · ${info.companyName}`;
}

function say(text) {
  const told = byId("told");
  setText(told, text);
  told.classList.add("shown");
  setTimeout(() => told.classList.remove("shown"), 6 * SECOND);
}

/** Shows the state of the connection; a problem that only a person can solve takes the whole page. */
function tell(state) {
  if (state instanceof Problem) return block(state);
  const connection = byId("connection");
  connection.dataset.state = state;
  setText(connection, CONNECTION[state]);
}

function block(problem) {
  // What was shown before is neither true any more nor for whoever may not ask.
  live?.stop();
  live = null;
  const place = byId("blocked");
  byId("content").hidden = true;
  byId("main").setAttribute("aria-busy", "false");
  byId("connection").dataset.state = "away";
  setText(byId("connection"), "Not connected");
  place.hidden = false;
  const again = element("button", { type: "button", click: () => start() }, "Try again");
  const signIn = element("button", { type: "button", class: "primary", click: () => signInFor("Paste a viewer or an admin credential.") }, "Sign in");
  if (problem.status === 401 && !credential.get()) {
    place.replaceChildren(title("Sign in to see the licenses"), line("This server asks for a credential. A viewer credential shows everything; an admin credential may also release."), command("license credential create --role viewer"), signIn);
  } else if (problem.status === 401 || problem.status === 403) {
    place.replaceChildren(title("This credential does not open the page"), line(problem.message), command("license credential create --role viewer"), signIn);
  } else if (problem.code === "none") {
    place.replaceChildren(title("No license is installed"), line("Install a license document; this page shows it at once."), command("license install license.json"), again);
  } else {
    place.replaceChildren(title("The licenses cannot be shown"), line(problem.message), again);
  }
}

const title = (text) => element("h2", {}, text);
const line = (text) => element("p", {}, text);
const command = (text) => element("pre", {}, element("code", {}, text));

function signInFor(why) {
  askToSignIn(why, () => { showSignedIn(); start(); });
}

function showSignedIn() {
  setText(byId("sign-in"), credential.get() ? "Sign out" : "Sign in");
}

/** Finds the licenses and follows the one that is asked for. Who starts anew meanwhile takes its place. */
async function start() {
  live?.stop();
  clearTimeout(start.again);
  live = null;
  const started = start.latest = Symbol("start");
  tell("connecting");
  try {
    const licenses = await get("v1/licenses");
    if (started !== start.latest) return;
    if (!licenses.length) {
      start.again = setTimeout(start, 3 * SECOND);
      return block(new Problem(404, "none", ""));
    }
    const numbers = licenses.map(({ licenseNumber }) => licenseNumber);
    setOptions(byId("license-select"), licenses.map(({ licenseNumber, name, companyName }) => [licenseNumber, `${name} · ${companyName} · ${licenseNumber}`]));
    byId("license-choice").hidden = licenses.length < 2;
    const asked = decodeURIComponent(location.hash.slice(1));
    const number = numbers.includes(asked) ? asked : numbers[0];
    byId("license-select").value = number;
    live = new Live(number, draw, tell);
    live.run();
    readDays(live, today());
  } catch (problem) {
    if (started !== start.latest) return;
    if (problem.status >= 400 && problem.status < 500) return block(problem);
    tell("away");
    start.again = setTimeout(start, SECOND);
  }
}

/** Reads the figures of past days, which change once a day. */
async function readDays(of, today) {
  if (of.today === today) return;
  of.today = today;
  const from = new Date(serverNow() - 91 * 24 * 60 * 60 * SECOND).toISOString();
  of.days = await get(`${pathOf(of.license)}/report?from=${encodeURIComponent(from)}`).catch(() => null);
  draw();
}

const today = () => new Date(serverNow()).toISOString().slice(0, 10);

const THEMES = { system: "Light or dark by system", light: "Light", dark: "Dark" };

function theme(next) {
  const names = Object.keys(THEMES);
  const kept = localStorage.getItem("license-theme");
  let name = names.includes(kept) ? kept : "system";
  if (next) name = names[(names.indexOf(name) + 1) % names.length];
  localStorage.setItem("license-theme", name);
  document.documentElement.dataset.theme = name;
  byId("theme").dataset.theme = name;
  byId("theme").setAttribute("aria-label", `Colors: ${THEMES[name]}`);
  byId("theme").title = `Colors: ${THEMES[name]}`;
}

byId("theme").addEventListener("click", () => theme(true));
byId("sign-in").addEventListener("click", () => {
  if (!credential.get()) return signInFor("A viewer credential shows everything; an admin credential may also release.");
  credential.set("");
  showSignedIn();
  start();
});
byId("license-select").addEventListener("change", ({ target }) => { location.hash = encodeURIComponent(target.value); });
addEventListener("hashchange", () => start());
addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.target.closest("input, select, dialog")) return;
  event.preventDefault();
  byId("search").focus();
});
// Ages go on while nothing happens, and days end.
setInterval(() => {
  if (document.hidden) return;
  if (live) readDays(live, today());
  draw();
}, SECOND);

theme(false);
showSignedIn();
start();
