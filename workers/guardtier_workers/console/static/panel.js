// The panel beside the list: loads one action. While it loads there is nothing to answer.

import { setClock, tick } from "./times.js";

const wide = matchMedia("(min-width: 62rem)");
let loading = null;

export const isWide = () => wide.matches;
export const shownId = () => document.getElementById("detail")?.dataset.id ?? "";

function note(text, retry) {
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
    button.textContent = "Try again";
    button.addEventListener("click", retry);
    box.append(button);
  }
  section.append(box);
  return section;
}

function put(section) {
  document.getElementById("detail").replaceWith(section);
}

async function fetched(id, signal) {
  const answer = await fetch(`/actions/${encodeURIComponent(id)}/panel`, {
    signal,
    credentials: "same-origin",
    headers: { accept: "text/html" },
  });
  if (answer.redirected && new URL(answer.url).pathname === "/login") location.assign("/login");
  const parsed = new DOMParser().parseFromString(await answer.text(), "text/html");
  const section = parsed.getElementById("detail");
  if (answer.ok && section) return document.importNode(section, true);
  return note(parsed.querySelector(".empty p")?.textContent ?? `The console answered ${answer.status}.`, () => show(id));
}

// Loads an action into the panel. `wait` milliseconds before it asks, for somebody who is passing by.
export async function show(id, { focus = false, wait = 0, quiet = false } = {}) {
  loading?.abort();
  const mine = (loading = new AbortController());
  if (!quiet) put(note("Loading…"));
  try {
    if (wait) await new Promise((done) => setTimeout(done, wait));
    if (mine.signal.aborted) return;
    const section = await fetched(id, mine.signal);
    if (mine.signal.aborted) return;
    put(section);
    globalThis.htmx?.process(section);
    setClock(section);
    tick();
    document.querySelector(".inbox-detail")?.scrollTo(0, 0);
    if (focus) section.querySelector("#detail-title")?.focus();
    document.dispatchEvent(new CustomEvent("guardtier:panel", { detail: { id } }));
  } catch (error) {
    if (error.name === "AbortError") return;
    put(note("The console can't be reached, so this is not shown.", () => show(id, { focus })));
  }
}

// Others ask for it where what is shown has changed: {detail: {id}}.
document.addEventListener("guardtier:reload", (event) => {
  const id = event.detail?.id ?? shownId();
  if (id && id === shownId()) show(id, { quiet: true });
});

const digestIn = (html) => {
  const template = document.createElement("template");
  template.innerHTML = html;
  return template.content.firstElementChild?.dataset.digest;
};
