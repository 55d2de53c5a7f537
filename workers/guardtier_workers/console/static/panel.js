// The panel beside the list: loads one action. While it loads there is nothing to answer.

import { unsay } from "./api.js";
import { setClock, tick } from "./times.js";

const wide = matchMedia("(min-width: 62rem)");
const LATE_MS = 20_000; // then whoever waits for it is told
let loading = null;
let coming = ""; // the id of what show() loads
let isLate = false; // something has changed, and somebody was answering, or it was still being loaded

export const isWide = () => wide.matches;
export const shownId = () => document.getElementById("detail")?.dataset.id ?? "";

function note(text, retry, label = "Try again") {
  const section = document.createElement("section");
  section.id = "detail";
  section.className = "panel is-empty";
  section.setAttribute("aria-label", "The chosen action");
  section.setAttribute("aria-busy", String(!retry));
  const box = document.createElement("div");
  box.className = "empty";
  const says = document.createElement("p");
  says.textContent = text;
  box.append(says);
  if (retry) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = label;
    button.addEventListener("click", retry);
    box.append(button);
  }
  section.append(box);
  return section;
}

function put(section) {
  document.getElementById("detail").replaceWith(section);
}

// `own`: headers besides.
async function fetched(id, signal, own = {}) {
  const answer = await fetch(`/actions/${encodeURIComponent(id)}/panel`, {
    signal,
    credentials: "same-origin",
    headers: { accept: "text/html", ...own },
  });
  if (answer.redirected && new URL(answer.url).pathname === "/login") location.assign("/login");
  const parsed = new DOMParser().parseFromString(await answer.text(), "text/html");
  const section = parsed.getElementById("detail");
  if (answer.ok && section) return document.importNode(section, true);
  return note(parsed.querySelector(".empty p")?.textContent ?? `The console answered ${answer.status}.`, () => show(id));
}

function take(section) {
  put(section);
  globalThis.htmx?.process(section);
  setClock(section);
  tick();
}

// Loads an action into the panel. `wait` milliseconds before it asks, for somebody who is passing by.
// `quiet`: what is shown stays until it is there, for whoever has just answered it.
export async function show(id, { focus = false, wait = 0, quiet = false } = {}) {
  loading?.abort();
  const mine = (loading = new AbortController());
  coming = id;
  isLate = false;
  const late = setTimeout(() => mine.abort(new Error("late")), LATE_MS);
  if (!quiet) {
    unsay();
    put(note("Loading…"));
  }
  try {
    if (wait) await new Promise((done) => setTimeout(done, wait));
    if (mine.signal.aborted) return;
    const section = await fetched(id, mine.signal);
    if (mine.signal.aborted) return;
    take(section);
    if (!quiet) document.querySelector(".inbox-detail")?.scrollTo(0, 0);
    if (focus) section.querySelector("#detail-title")?.focus();
  } catch (error) {
    if (error.name === "AbortError") return;
    put(note("The console can't be reached, so this is not shown.", () => show(id, { focus })));
  } finally {
    clearTimeout(late);
    if (loading === mine) coming = "";
  }
  if (isLate) refresh(); // what came may be older than what changed meanwhile
}

// Brings what is shown up to date. What will run is never exchanged under somebody's eyes: where it is
// another call by now, they are asked to look at it again.
export async function refresh() {
  const old = document.getElementById("detail");
  const id = shownId();
  if (!id && !coming) return;
  isLate = coming !== "" || isBusy(old);
  if (isLate) return;
  loading?.abort();
  const mine = (loading = new AbortController());
  try {
    const section = await fetched(id, mine.signal, { "x-guardtier-poll": "1" }); // nobody has asked for it
    if (mine.signal.aborted || document.getElementById("detail") !== old) return;
    if (isBusy(old)) isLate = true;
    else if (section.dataset.digest === undefined) put(section); // why it can't be shown
    else if (section.dataset.digest === old.dataset.digest) keepingPlace(old, () => take(section));
    else put(note("Somebody has changed this call. Look at it again before you answer.", () => show(id), "Look again"));
  } catch {
    // it stays as it is: #live says that the page is out of date
  }
}

// Whether somebody answers it at this moment.
function isBusy(section) {
  const at = document.activeElement;
  const isWriting = section.contains(at) && at.matches("input, textarea, select");
  return isWriting || document.querySelector("dialog[open]") !== null;
}

function keepingPlace(old, change) {
  const at = old.contains(document.activeElement) ? document.activeElement : null;
  const place = document.querySelector(".inbox-detail")?.scrollTop ?? 0;
  change();
  document.querySelector(".inbox-detail")?.scrollTo(0, place);
  const outcome = at?.matches(".outcome") && document.querySelector("#answer .outcome[tabindex]");
  if (at) (outcome || document.getElementById("detail-title"))?.focus({ preventScroll: true });
}

document.addEventListener("live:change", ({ detail }) => {
  const id = coming || shownId();
  if (detail.rows.includes(id) || detail.gone.some((one) => one.id === id)) refresh();
});
document.addEventListener("close", () => isLate && refresh(), true);
