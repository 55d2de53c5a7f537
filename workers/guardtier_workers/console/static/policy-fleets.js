// A fleet's own policy: set and reset.
import { call, say } from "./api.js";
import { fail, once, open } from "./rules-dialog.js";

const dialog = document.getElementById("fleet-dialog");
const form = dialog?.querySelector("form");
let fleet = "";

function edit(button) {
  fleet = button.dataset.fleet;
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

async function send(method, body) {
  const answer = await call(method, `/policies/${fleet}`, body);
  if (!answer.ok) return fail(dialog, answer.body.message);
  const row = document.getElementById(`policy-of-${fleet}`);
  const found = answer.body;
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
  });
  dialog.close();
  say(`${fleet}: ${found.words}; ${found.where_from}.`);
}

if (dialog) {
  for (const button of document.querySelectorAll("[data-rules=edit-fleet]")) {
    button.addEventListener("click", () => edit(button));
  }
  form.addEventListener("change", fit);
  const set = () => send("PUT", { policy: wanted() });
  dialog.querySelector("[data-rules=set-fleet]").addEventListener("click", () => once(dialog, set));
  const reset = () => send("DELETE");
  dialog.querySelector("[data-rules=reset-fleet]").addEventListener("click", () => once(dialog, reset));
}
