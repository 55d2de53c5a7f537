// Revoking a grant.
import { call, say } from "./api.js";
import { fail, once, open } from "./rules-dialog.js";

const dialog = document.getElementById("revoke-dialog");
let chosen = null;

function ask(button) {
  chosen = button;
  const words = button.closest(".grant").querySelector(".grant-words").textContent;
  dialog.querySelector("[data-shows=words]").textContent = words;
  open(dialog);
}

async function revoke() {
  const { fleet, grant } = chosen.dataset;
  const { ok, status, body } = await call("DELETE", `/grants/${fleet}/${grant}`);
  if (!ok && status !== 404) return fail(dialog, body.message);
  const row = chosen.closest(".grant");
  const told = ok ? `Revoked: grant ${grant} releases nothing from now on.` : "It stands no longer: somebody revoked it, or it has ended.";
  const after = document.createElement("p");
  after.className = "muted";
  after.tabIndex = -1;
  after.textContent = told;
  row.querySelector(".grant-do").replaceChildren(after);
  row.dataset.state = "revoked";
  dialog.close();
  after.focus();
  say(told);
}

if (dialog) {
  for (const button of document.querySelectorAll("[data-rules=revoke]")) {
    button.addEventListener("click", () => ask(button));
  }
  dialog.querySelector("[data-rules=revoke-now]").addEventListener("click", () => once(dialog, revoke));
}
