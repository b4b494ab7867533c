// Asks a person: for a credential, and before a license is taken back.

import { Problem, credential, revoke } from "./api.js";
import { byId, element, setText } from "./dom.js";
import { duration, fullTime } from "./words.js";

/** What led to a dialog goes away with what the dialog did. */
const GONE = Symbol("gone");

/** Asks for a credential; `done` is called once one was given. */
export function askToSignIn(why, done) {
  const dialog = byId("sign-in-dialog");
  if (dialog.open) return;
  setText(byId("sign-in-why"), why);
  byId("sign-in-credential").value = "";
  open(dialog, byId("sign-in-problem"), async () => {
    const given = byId("sign-in-credential").value.trim();
    if (!given) throw new Problem(0, "", "Paste the credential.");
    credential.set(given);
    done();
  });
}

/** Asks whether to release what `holder` holds, and does it; `done` is called when it is free. */
export function askToRelease(license, holder, now, done) {
  const facts = [
    ["Holder", [holder.who || "(no name)", holder.account !== holder.who && holder.account].filter(Boolean).join(", ")],
    ["From", [holder.machine, holder.address].filter(Boolean).join(", ") || "unknown"],
    ["Product", holder.name],
    ["Reason", holder.reason || "none given"],
    ["Served by", holder.server || "unknown"],
    ["Held for", `${duration(now - holder.since)}, since ${fullTime(holder.since)}`],
    ["Token", String(holder.token)],
  ];
  byId("release-facts").replaceChildren(...facts.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)]));
  byId("release-note").value = "";
  byId("release-credential").value = "";
  byId("release-credential-field").hidden = credential.get() !== "";
  open(byId("release-dialog"), byId("release-problem"), async () => {
    const given = byId("release-credential").value.trim();
    try {
      const receipt = await revoke(license, holder.token, byId("release-note").value.trim(), given);
      if (given) credential.set(given);
      done(receipt);
      return GONE;
    } catch (problem) {
      if (problem.status === 404) {
        done(null);
        return GONE;
      }
      throw problem;
    }
  }, (problem) => {
    if (problem.status !== 401 && problem.status !== 403) return problem.message;
    byId("release-credential-field").hidden = false;
    byId("release-credential").focus();
    return byId("release-credential").value.trim() || credential.get() ? "This credential may not release. An admin credential is needed." : "An admin credential is needed.";
  });
}

/** Shows a dialog whose form runs `act`; a problem is shown, as `explain` says, and the dialog stays. Whoever goes on without a mouse goes on where the dialog was asked for. */
function open(dialog, said, act, explain = ({ message }) => message) {
  const form = dialog.querySelector("form");
  const cancel = form.querySelector("button[value=cancel]");
  const submit = form.querySelector("button[type=submit]");
  let asked = document.activeElement;
  said.hidden = true;
  submit.disabled = false;
  const submitted = async (event) => {
    event.preventDefault();
    submit.disabled = true;
    let result;
    let problem = null;
    try {
      result = await act();
    } catch (thrown) {
      problem = thrown;
    }
    // The dialog may ask something else by now.
    if (form.onsubmit !== submitted) return;
    submit.disabled = false;
    if (problem) {
      setText(said, explain(problem));
      said.hidden = false;
      return;
    }
    if (result === GONE) asked = null;
    dialog.close();
  };
  form.onsubmit = submitted;
  cancel.onclick = () => dialog.close();
  dialog.onclick = (event) => { if (event.target === dialog) dialog.close(); };
  dialog.onclose = () => {
    for (const input of form.querySelectorAll("input[type=password]")) input.value = "";
    if (asked?.isConnected) asked.focus();
    else byId("holders").focus({ preventScroll: true });
  };
  dialog.showModal();
}
