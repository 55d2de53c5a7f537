// Groups: in a long list, of many rows that are alike the first that waits is shown, and how many more there are.

import { isEnded } from "./live_rows.js";
import { isPicked, pickAll } from "./selection.js";

const OFF = "guardtier.groups.off";
const FROM = 4; // rows that are alike
const LONG = 20; // rows of a list in which folding spares more than it hides
const opened = new Set();

const link = (row) => row.querySelector(".row-open");
const isOn = () => localStorage.getItem(OFF) !== "1";

function grouped() {
  const groups = new Map();
  for (const row of document.querySelectorAll("#rows > .row[data-group]")) {
    const group = groups.get(row.dataset.group) ?? [];
    group.push(row);
    groups.set(row.dataset.group, group);
  }
  return groups;
}

function staysVisible(row) {
  return row.classList.contains("is-current") || isPicked(row) || row.contains(document.activeElement);
}

function button(className, text, run) {
  const made = document.createElement("button");
  made.type = "button";
  made.className = `${className} quiet small`;
  made.textContent = text;
  made.addEventListener("click", run);
  return made;
}

const waiting = (name) => (grouped().get(name) ?? []).filter((row) => !isEnded(row));

function setBar(row, group, isOpen, folded) {
  const says = isOpen ? `Fold ${group.length - 1} like it` : `${folded} more like it`;
  const all = `Select all ${waiting(row.dataset.group).length}`;
  const old = row.querySelector(".alike");
  if (old?.dataset.says === `${says} ${all}`) return;
  old?.remove();
  const bar = document.createElement("div");
  bar.className = "alike";
  bar.dataset.says = `${says} ${all}`;
  const fold = button("alike-fold", says, () => {
    if (isOpen) opened.delete(row.dataset.group);
    else opened.add(row.dataset.group);
    refresh();
    row.querySelector(".alike-fold")?.focus();
  });
  fold.setAttribute("aria-expanded", String(isOpen));
  const pick = button("alike-pick", all, () => {
    pickAll(waiting(row.dataset.group), true);
    refresh(); // what is selected is shown
    link(row).focus({ preventScroll: true });
  });
  bar.append(fold, pick);
  row.append(bar);
}

export function refresh() {
  const groups = grouped();
  const count = [...groups.values()].reduce((sum, rows) => sum + rows.length, 0);
  const on = isOn() && count >= LONG;
  for (const [name, rows] of groups) {
    const isGroup = on && rows.length >= FROM;
    const isOpen = opened.has(name);
    const first = rows.find((row) => !isEnded(row)) ?? rows[0];
    const at = document.activeElement?.closest?.(".alike > button");
    const isAt = at && rows.some((row) => row.contains(at)); // its bar may go to another row, or be made anew
    let folded = 0;
    for (const row of rows) {
      const hide = isGroup && row !== first && !isOpen && !staysVisible(row);
      row.classList.toggle("is-folded", hide);
      folded += Number(hide && !isEnded(row));
      if (row !== first || !isGroup) row.querySelector(".alike")?.remove();
    }
    if (isGroup && (isOpen || folded)) setBar(first, rows, isOpen, folded);
    else first.querySelector(".alike")?.remove();
    if (isAt && !at.isConnected) (first.querySelector(`.${at.classList[0]}`) ?? link(first)).focus({ preventScroll: true });
  }
}

export function start() {
  const toggle = document.getElementById("fold");
  toggle.setAttribute("aria-pressed", String(isOn()));
  toggle.addEventListener("click", () => {
    if (isOn()) localStorage.setItem(OFF, "1");
    else localStorage.removeItem(OFF);
    toggle.setAttribute("aria-pressed", String(isOn()));
    refresh();
  });
  refresh();
}
