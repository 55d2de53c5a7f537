// One way for all dialogs of the rules' pages: opened with a fresh face, busy while the tier is asked.
import { say } from "./api.js";

export function open(dialog) {
  fail(dialog, "");
  dialog.showModal();
}

export function fail(dialog, message) {
  const problem = dialog.querySelector("[role=alert]");
  problem.textContent = message;
  problem.hidden = !message;
  if (message && !dialog.open) say(message, "problem"); // it was closed while the tier was asked
}

// Runs what a button asks for, once: it can't be sent twice while it is under way.
export async function once(dialog, ask) {
  if (dialog.dataset.busy) return;
  dialog.dataset.busy = "1";
  const buttons = [...dialog.querySelectorAll("button")].filter((one) => !one.disabled);
  for (const one of buttons) one.disabled = true;
  try {
    await ask();
  } finally {
    for (const one of buttons) one.disabled = false;
    delete dialog.dataset.busy;
  }
}
