// Groups: in a long list, of many rows that are alike the first is shown, and how many more there are.

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
  const isAt = old?.contains(document.activeElement) ? document.activeElement.classList[0] : "";
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
  if (isAt) bar.querySelector(`.${isAt}`)?.focus();
}

export function refresh() {
  const groups = grouped();
  const count = [...groups.values()].reduce((sum, rows) => sum + rows.length, 0);
  const on = isOn() && count >= LONG;
  for (const [name, rows] of groups) {
    const isGroup = on && rows.length >= FROM;
    const isOpen = opened.has(name);
    let folded = 0;
    for (const [at, row] of rows.entries()) {
      const hide = isGroup && at > 0 && !isOpen && !staysVisible(row);
      row.classList.toggle("is-folded", hide);
      folded += Number(hide && !isEnded(row));
      if (at > 0 || !isGroup) row.querySelector(".alike")?.remove();
    }
    if (isGroup && (isOpen || folded)) setBar(rows[0], rows, isOpen, folded);
    else rows[0].querySelector(".alike")?.remove();
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
