// Live: keeps an open page as Redis has it, and says when it can't.
//
// It looks for #rows (the inbox; data-query is its filter), else for #detail (one action), and for #live, in
// which it says how it is. After each change it sends `live:change` to the document: {rows: ids, gone: [{id,
// state, by}]}.

import { call } from "./api.js";
import { register } from "./keys.js";
import { List } from "./live_list.js";
import { isEnded } from "./live_rows.js";
import { watchTab } from "./live_tabs.js";

const BESIDE_MS = 2_000;
const STALE_MS = 12_000; // the console says something every 5 s
const TRIES_MS = [250, 1_000, 2_000, 5_000, 10_000];
const WORDS = {
  live: "Live",
  connecting: "Connecting…",
  stale: "Out of date: trying again",
  behind: "Out of date: the tier is away",
};

const list = new List();
let source = null;
let query = null; // what the stream is of
let opened = 0;
let tries = 0;
let heard = 0; // when it said something last
let retry = 0;

// What this page shows; null where it shows nothing that changes.
function wanted() {
  const rows = document.getElementById("rows");
  if (rows) return rows.dataset.query;
  const id = document.getElementById("detail")?.dataset.id;
  return id && document.getElementById("live") ? new URLSearchParams({ id }).toString() : null;
}

function show(state, words = WORDS[state]) {
  const place = document.getElementById("live");
  if (!place || (place.dataset.state === state && place.textContent === words)) return;
  place.dataset.state = state;
  place.textContent = words;
}

function count({ total, counts }) {
  for (const place of document.querySelectorAll("[data-count]")) {
    place.textContent = counts[place.dataset.count] ?? 0;
  }
  if (document.getElementById("rows")) {
    document.title = `${total ? `(${total}) ` : ""}${document.title.replace(/^\(\d+\) /, "")}`;
  }
}

function open() {
  close();
  query = wanted();
  if (query === null) return;
  if (!heard) show("connecting");
  const own = new EventSource(`/events?${query}`);
  source = own;
  opened = Date.now();
  const on = (name, does) =>
    own.addEventListener(name, (event) => {
      if (own !== source) return;
      heard = Date.now();
      does(JSON.parse(event.data));
    });
  on("hello", async (state) => {
    tries = 0;
    count(state);
    if (await compare()) show(state.live ? "live" : "stale", WORDS[state.live ? "live" : "behind"]);
  });
  on("changes", (change) => {
    count(change);
    list.change(change);
    tell(change);
  });
  on("reload", (change) => {
    count(change);
    list.change(change);
    tell(change);
    compare();
  });
  on("ping", ({ live }) => show(live ? "live" : "stale", WORDS[live ? "live" : "behind"]));
  on("over", ended);
  own.onerror = () => {
    if (own === source) again();
  };
}

// Whether somebody is signed in. A page that is merely open asks: that is no use of a session.
function whoIsIt() {
  return call("GET", "/me", undefined, { "x-guardtier-poll": "1" });
}

function close() {
  clearTimeout(retry);
  source?.close();
  source = null;
}

function again() {
  close();
  show(Date.now() - heard < STALE_MS ? "connecting" : "stale");
  const pause = TRIES_MS[Math.min(tries, TRIES_MS.length - 1)];
  tries += 1;
  // from the second try on, ask first: an EventSource does not say that nobody is signed in any more
  retry = setTimeout(async () => {
    if (tries > 1 && !(await whoIsIt()).ok) again();
    else open();
  }, pause * (0.75 + Math.random() / 2));
}

// The session has ended, or what may be seen is another: nothing of it stays on the page.
async function ended() {
  close();
  show("stale");
  const isEarly = Date.now() - opened < STALE_MS; // never a page that loads itself over and over
  if ((await whoIsIt()).ok && !isEarly) location.reload();
  else again();
}

// Has the list as the console has it now. False where that was not possible: it is tried again.
async function compare() {
  const of = query;
  const found = document.getElementById("rows") ? await list.compare(of) : await compareOne();
  if (of !== query) return false;
  if (!found) again();
  else tell(found);
  return Boolean(found);
}

// The same for the one action that is shown: whether it still waits.
async function compareOne() {
  const { id, state } = document.getElementById("detail").dataset;
  try {
    const query = new URLSearchParams({ id });
    const answer = await fetch(`/events/rows?${query}`, { headers: { accept: "application/json" } });
    if (!answer.ok) return null;
    const { rows } = await answer.json();
    if (state !== "parked" || rows.length > 0) return { rows, gone: [] };
    const { ok, status, body } = await call("GET", `/actions/${encodeURIComponent(id)}`); // of too many, some are not listed
    if (!ok && status !== 404) return null;
    return { rows, gone: body.state === "parked" ? [] : [{ id, state: body.state ?? "gone", by: "" }] };
  } catch {
    return null;
  }
}

// What stands beside the list need not be in it (another filter), and the list's stream does not tell of it then.
let beside = ""; // what its row said last

async function lookBeside() {
  const { id, state } = document.getElementById("detail")?.dataset ?? {};
  const row = document.getElementById(`row-${id}`);
  if (!source || document.hidden || state !== "parked" || (row && !isEnded(row))) return;
  const found = await compareOne();
  const says = `${id} ${found?.rows[0]?.html ?? ""}`;
  if (!found || id !== document.getElementById("detail")?.dataset.id || says === beside) return;
  beside = says;
  tell(found);
}

function tell({ rows, gone }) {
  const detail = { rows: rows.map((row) => row.id), gone };
  document.dispatchEvent(new CustomEvent("live:change", { detail }));
}

// Another filter: another stream. The same: the rows may be older than what was told meanwhile.
function look() {
  if (wanted() !== query) open();
  else if (source) compare();
}

if (wanted() !== null || document.getElementById("live")) {
  open();
  document.addEventListener("live:look", look);
  document.addEventListener("htmx:afterSwap", (event) => event.detail.target?.id === "list" && look());
  watchTab(() => source ?? open(), close);
  addEventListener("offline", again);
  addEventListener("online", open);
  addEventListener("pagehide", close);
  addEventListener("pageshow", (event) => event.persisted && open());
  setInterval(() => document.getElementById("rows") && lookBeside(), BESIDE_MS);
  setInterval(() => {
    if (!heard || query === null || Date.now() - heard <= STALE_MS) return;
    show("stale");
    if (source) again();
  }, 1_000);
  register({
    key: "n",
    label: "Show what has arrived",
    when: () => list.waiting > 0,
    run: () => list.reveal(),
  });
}
