// Selection: which rows are ticked. It survives that rows are drawn again; a row whose action changes loses it.

import { say } from "./api.js";

const MOST = 200;
const chosen = new Map(); // id → the digest that was ticked
let last = null;

const boxes = () => [...document.querySelectorAll("#rows .row-pick:not(:disabled)")];
const rowOf = (element) => element.closest(".row");
const shown = () => boxes().filter((box) => !rowOf(box).matches(".is-folded, [hidden]"));

function showCount() {
  const bar = document.getElementById("batch");
  bar.hidden = chosen.size === 0;
  document.getElementById("batch-count").textContent = String(chosen.size);
  const all = document.getElementById("pick-all");
  const ticked = boxes().filter((box) => box.checked).length;
  all.checked = ticked > 0 && shown().every((box) => box.checked);
  all.indeterminate = ticked > 0 && !all.checked;
}

export function pick(row, on) {
  const box = row.querySelector(".row-pick");
  if (on && box.disabled) return true; // it does not wait any more
  if (on && !chosen.has(row.dataset.id) && chosen.size >= MOST) {
    box.checked = false;
    say(`At most ${MOST} are answered at once.`, "warn");
    return false;
  }
  if (on) chosen.set(row.dataset.id, row.dataset.digest);
  else chosen.delete(row.dataset.id);
  box.checked = on;
  return true;
}

export function toggle(row) {
  pick(row, !chosen.has(row.dataset.id));
  last = row.dataset.id;
  showCount();
}

export function pickAll(rows, on) {
  rows.every((row) => pick(row, on));
  showCount();
}

export function clear() {
  for (const box of boxes()) box.checked = false;
  chosen.clear();
  showCount();
}

export const isPicked = (row) => chosen.has(row.dataset.id);
export const size = () => chosen.size;

// After the list was drawn again.
export function restore() {
  const rows = new Map(boxes().map((box) => [rowOf(box).dataset.id, rowOf(box)]));
  for (const [id, digest] of chosen) {
    const row = rows.get(id);
    if (!row) chosen.delete(id);
    else if (row.dataset.digest === digest) row.querySelector(".row-pick").checked = true;
    else {
      chosen.delete(id);
      row.querySelector(".row-pick").checked = false;
      say("A selected action has changed: it is not selected any more. Look at it again.", "warn");
    }
  }
  showCount();
}

function range(to) {
  const rows = shown().map(rowOf);
  const first = rows.findIndex((row) => row.dataset.id === last);
  const end = rows.indexOf(to);
  if (first < 0) return [to];
  return rows.slice(Math.min(first, end), Math.max(first, end) + 1);
}

export function start(list) {
  list.addEventListener("click", (event) => {
    if (!event.target.matches(".row-pick")) return;
    const row = rowOf(event.target);
    const rows = event.shiftKey ? range(row) : [row];
    pickAll(rows, event.target.checked);
    last = row.dataset.id;
  });
  document.getElementById("pick-all").addEventListener("change", (event) => {
    const some = event.target.checked ? shown() : boxes(); // what is folded away, nobody has seen
    pickAll(some.map(rowOf), event.target.checked);
  });
  document.getElementById("batch-clear").addEventListener("click", clear);
  restore();
}
