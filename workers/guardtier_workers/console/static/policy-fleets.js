// A fleet's own policy: set and reset.
import { call, say } from "./api.js";
import { fail, once, open } from "./rules-dialog.js";

const dialog = document.getElementById("fleet-dialog");
const form = dialog?.querySelector("form");
let fleet = "";
let replaces = null; // what the dialog's author has seen; undefined: whatever stands

function edit(button) {
  fleet = button.dataset.fleet;
  saw(button.dataset);
  document.getElementById("fleet-dialog-title").textContent = `The policy of ${fleet}`;
  dialog.querySelector("[data-shows=now]").textContent = button.dataset.now;
  form.elements.kind.value = button.dataset.kind;
  form.elements.threshold.value = button.dataset.threshold;
  form.elements.confirm_unknown.checked = button.dataset.unknown === "yes";
  fit();
  open(dialog);
}

// Shows what belongs to the chosen kind alone.
function fit() {
  for (const part of dialog.querySelectorAll("[data-for]")) {
    part.hidden = part.dataset.for !== form.elements.kind.value;
  }
}

function wanted() {
  const kind = form.elements.kind.value;
  if (kind !== "confirm_risky") return { kind };
  const { threshold, confirm_unknown: unknown } = form.elements;
  return { kind, threshold: threshold.value, confirm_unknown: unknown.checked };
}

// What can't be read can't be compared: it is set anew whatever it is.
function saw({ source, replaces: digest }) {
  replaces = source === "unreadable" ? undefined : digest || null;
}

async function send(method, query, body) {
  const answer = await call(method, `/policies/${fleet}${query}`, body);
  if (!answer.ok) {
    const now = answer.status === 409 ? await again() : "";
    return fail(dialog, answer.body.message + now);
  }
  show(answer.body);
  dialog.close();
  say(`${fleet}: ${answer.body.words}; ${answer.body.where_from}.`);
}

// After a conflict: who tries once more has seen what stands now.
async function again() {
  const found = await call("GET", `/policies/${fleet}`);
  if (!found.ok) return "";
  const button = show(found.body);
  saw(button.dataset);
  dialog.querySelector("[data-shows=now]").textContent = found.body.words;
  return ` Now: ${found.body.words}; ${found.body.where_from}.`;
}

// Puts it in its row. Returns the row's button.
function show(found) {
  const row = document.getElementById(`policy-of-${fleet}`);
  const version = document.createElement("span");
  version.className = "muted mono";
  version.textContent = found.version;
  row.cells[1].replaceChildren(`${found.words} `, version);
  row.cells[2].textContent = found.where_from;
  row.cells[2].classList.toggle("problem", !found.agreed);
  const button = row.querySelector("[data-rules=edit-fleet]");
  Object.assign(button.dataset, {
    kind: found.policy.kind,
    threshold: found.policy.threshold ?? "HIGH",
    unknown: found.policy.confirm_unknown === false ? "no" : "yes",
    now: found.words,
    replaces: found.set_digest ?? "",
    source: found.source,
  });
  return button;
}

if (dialog) {
  for (const button of document.querySelectorAll("[data-rules=edit-fleet]")) {
    button.addEventListener("click", () => edit(button));
  }
  form.addEventListener("change", fit);
  const set = () => send("PUT", "", { policy: wanted(), replaces });
  dialog.querySelector("[data-rules=set-fleet]").addEventListener("click", () => once(dialog, set));
  const reset = () => send("DELETE", replaces === undefined ? "" : `?replaces=${replaces ?? "none"}`);
  dialog.querySelector("[data-rules=reset-fleet]").addEventListener("click", () => once(dialog, reset));
}
