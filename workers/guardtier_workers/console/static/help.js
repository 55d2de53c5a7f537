// Help: the keys of this page, and the switch that turns them off.

import { all, areOff, register, switchOff } from "./keys.js";

const dialog = document.getElementById("keys-dialog");

function entry({ key, label }) {
  const name = document.createElement("dt");
  const box = document.createElement("kbd");
  box.textContent = key.length === 1 ? key.toUpperCase() : key;
  name.append(box);
  const says = document.createElement("dd");
  says.textContent = label;
  return [name, says];
}

function open() {
  document.getElementById("keys-list").replaceChildren(...all().flatMap(entry));
  document.getElementById("keys-on").checked = !areOff();
  dialog.showModal();
}

if (dialog) {
  register({ key: "?", label: "Show these keys", run: open });
  document.getElementById("keys-open").addEventListener("click", open);
  document.getElementById("keys-on").addEventListener("change", (event) => switchOff(!event.target.checked));
}
