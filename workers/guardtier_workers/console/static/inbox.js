// The inbox: where the cursor is, what the keys do, and what is put right after the list was drawn again.

import { say } from "./api.js";
import * as groups from "./groups.js";
import { register } from "./keys.js";
import { isWide, show, shownId } from "./panel.js";
import * as selection from "./selection.js";

const PLACE = "guardtier.at";
const LIST = "guardtier.list";
const ORDER = "guardtier.order";
const PASSING = 90; // milliseconds: who holds J down asks for nothing on the way
const list = document.getElementById("list");
const field = document.getElementById("filter-text");
let current = kept(PLACE);
let listed = field?.value; // the text that the list was filtered by
let opens = false; // Enter was pressed before the list for it was there

const rows = () => [...document.querySelectorAll("#rows > .row:not(.is-folded):not([hidden])")];
const rowOf = (id) => document.getElementById(`row-${id}`);
const link = (row) => row.querySelector(".row-open");

// Where somebody was, in this tab: they are there again after a reload, signing in, or coming back.
function kept(name) {
  try {
    return sessionStorage.getItem(name) ?? "";
  } catch {
    return "";
  }
}

function keep(name, what) {
  try {
    sessionStorage.setItem(name, what);
  } catch {
    // nothing may be kept here: then they begin at the top
  }
}

function here() {
  return document.activeElement?.closest?.("#rows > .row") ?? rowOf(current);
}

function mark(row) {
  for (const old of document.querySelectorAll("#rows > .is-current")) {
    if (old === row) continue;
    old.classList.remove("is-current");
    link(old)?.removeAttribute("aria-current");
  }
  if (!row) return;
  current = row.dataset.id;
  keep(PLACE, current);
  row.classList.add("is-current");
  link(row).setAttribute("aria-current", "true");
}

function goTo(row) {
  if (!row) return;
  mark(row);
  link(row).focus({ preventScroll: true });
  row.scrollIntoView({ block: "nearest" });
  if (isWide()) show(row.dataset.id, { wait: PASSING });
}

function move(step) {
  const all = rows();
  const at = all.indexOf(here());
  if (at < 0) goTo(all[0]);
  else goTo(all[Math.min(all.length - 1, Math.max(0, at + step))]);
}

function onOpen(event) {
  const target = event.target.closest(".row-open");
  if (target) keep(ORDER, [...document.querySelectorAll("#rows > .row")].map((row) => row.dataset.id).join(" "));
  if (!target || !isWide() || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  const row = target.closest(".row");
  const again = row.dataset.id === shownId();
  mark(row);
  if (again) document.getElementById("detail-title")?.focus();
  else show(row.dataset.id);
}

function redrawn() {
  const seen = new Set();
  for (const row of document.querySelectorAll("#rows > .row")) {
    if (seen.has(row.dataset.id)) row.remove();
    seen.add(row.dataset.id);
  }
  const row = rowOf(current);
  if (row && !row.classList.contains("is-current")) mark(row);
  selection.restore();
  groups.refresh();
  const empty = document.getElementById("rows-empty");
  if (empty) empty.hidden = seen.size > 0;
}

// A list that is drawn anew takes the focus with it: it goes to the same action's row.
let focused = "";

function leaving(event) {
  if (event.detail.target !== list) return;
  focused = document.activeElement?.closest?.("#rows > .row")?.dataset.id ?? "";
}

function returning(event) {
  if (event.detail.target !== list || document.activeElement !== document.body) return;
  const row = focused && rowOf(focused);
  if (row) link(row).focus({ preventScroll: true });
}

// Back where they were, if that still waits.
function comeBack() {
  const row = rowOf(current);
  row?.scrollIntoView({ block: "nearest" });
  if (row && isWide()) show(row.dataset.id);
}

function watch() {
  const observer = new MutationObserver(() => {
    redrawn();
    observer.takeRecords();
  });
  observer.observe(list, { childList: true, subtree: true });
}

function keys() {
  const any = () => rows().length > 0;
  register({ key: "j", label: "Next action", run: () => move(1), when: any });
  register({ key: "k", label: "Previous action", run: () => move(-1), when: any });
  register({ key: "x", label: "Select or unselect the action", run: () => here() && selection.toggle(here()), when: any });
  register({ key: "/", label: "Search", run: () => document.getElementById("filter-text").focus() });
  register({ key: "Escape", label: "Clear the selection, or back to the list", run: back });
}

function back() {
  if (document.activeElement?.closest("#detail")) link(rowOf(current) ?? rows()[0])?.focus();
  else if (selection.size()) selection.clear();
}

// Enter opens the first that was searched for. Where it is quicker than the list, it waits for that: the
// first row of the list before would be another action, and A would be about that one.
function onSearchKey(event) {
  if (event.key === "Escape" && !field.value) field.blur();
  if (event.key !== "Enter") return;
  event.preventDefault();
  if (field.value === listed) goTo(rows()[0]);
  else opens = true;
}

function onListed(event) {
  const text = event.detail.target?.id === "list" ? event.detail.requestConfig?.parameters?.text : undefined;
  if (text === undefined) return;
  listed = text;
  keep(LIST, location.search);
  if (!opens || field.value !== listed) return;
  opens = false;
  goTo(rows()[0]);
}

// From an action's own page: back to the list that it was opened from, and on to what stood behind it there.
function leadOn() {
  const ids = kept(ORDER).split(" ");
  const at = ids.indexOf(shownId());
  const next = document.getElementById("next");
  next.hidden = at < 0 || at + 1 === ids.length;
  next.href = `/actions/${encodeURIComponent(ids[at + 1] ?? "")}`;
  document.querySelector(".back > a").href = `/${kept(LIST)}`;
}

if (document.getElementById("next")) leadOn();

if (list) {
  keep(LIST, location.search);
  selection.start(list);
  groups.start();
  redrawn();
  comeBack();
  watch();
  keys();
  list.addEventListener("click", onOpen);
  field.addEventListener("keydown", onSearchKey);
  field.addEventListener("input", () => (opens = false));
  document.addEventListener("htmx:beforeSwap", leaving);
  document.addEventListener("htmx:afterSwap", returning);
  document.addEventListener("htmx:afterSettle", onListed);
}

// What a part of a page could not be loaded for is said; a filter that can't be is shown in the list's place.
document.addEventListener("htmx:beforeSwap", (event) => {
  if (event.detail.xhr.status === 422 && event.detail.target?.id === "list") event.detail.shouldSwap = true;
});
document.addEventListener("htmx:responseError", (event) => {
  if (event.detail.target?.id === "list" && event.detail.xhr.status === 422) return;
  const page = new DOMParser().parseFromString(event.detail.xhr.responseText, "text/html");
  say(page.querySelector(".empty p")?.textContent ?? `The console answered ${event.detail.xhr.status}.`, "problem");
});
document.addEventListener("htmx:sendError", () => say("The console can't be reached: nothing was loaded.", "problem"));
