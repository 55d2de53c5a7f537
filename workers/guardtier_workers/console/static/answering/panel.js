// The panel of one action: what of it stands on the page, and how it is brought up to date.

import { patience } from "../api.js";
import { show } from "../panel.js";

export const detail = () => document.getElementById("detail");

// A part of a page, as the server renders it; {ok: false, message} where it can't be had.
export async function fragment(path) {
  let answer;
  try {
    answer = await fetch(path, {
      headers: { accept: "application/json, text/html" },
      credentials: "same-origin",
      signal: patience(),
    });
  } catch {
    return { ok: false, message: "The console can't be reached: try again." };
  }
  if (answer.status === 401) location.assign("/login");
  if (answer.redirected && new URL(answer.url).pathname === "/login") location.assign("/login");
  if (answer.ok) return { ok: true, html: await answer.text() };
  const problem = await answer.json().catch(() => ({}));
  return { ok: false, message: problem.message ?? `The console answered ${answer.status}.` };
}

// Shows the truth of this action, if it is still the one that is shown.
export async function reload(id) {
  if (detail()?.dataset.id === id) await show(id, { quiet: true });
}

// Moves the focus to what became of it, so that it is read out and keys go on from there.
export function focusOutcome() {
  const target = document.querySelector("#answer .outcome[tabindex]") ?? document.getElementById("detail-title");
  target?.focus({ preventScroll: true });
}

// Where the list is not live, it is asked for anew: no row goes on saying that what was answered waits.
export function lookAtList() {
  if (document.getElementById("live")?.dataset.state === "live") return;
  document.dispatchEvent(new CustomEvent("live:look"));
}
