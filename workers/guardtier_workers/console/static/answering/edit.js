// The form of an edit: its fields become the text of a JSON object, and what changes is shown before it is sent.

import { call } from "../api.js";
import { fragment } from "./panel.js";

const PAUSE = 300; // milliseconds after the last key

export class EditForm {
  // ready(is): whether what stands in the form has been compared, and changes something.
  constructor(place, ready) {
    this.place = place;
    this.ready = ready;
    this.turn = 0;
    place.addEventListener("input", () => this.#later());
    place.addEventListener("toggle", (event) => this.#toggled(event.target), true);
  }

  // Loads the form; the digest of the action that it shows, or null where it can't be edited.
  async load(id, digest) {
    this.id = id;
    this.digest = digest;
    const turn = (this.turn += 1); // what was asked for before is none of this form's
    clearTimeout(this.timer);
    this.ready(false);
    this.place.hidden = false;
    this.place.replaceChildren();
    const came = await fragment(`/actions/${encodeURIComponent(id)}/edit`);
    if (turn !== this.turn) return {};
    if (!came.ok) return { message: came.message };
    this.place.innerHTML = came.html;
    const form = this.place.querySelector(".edit");
    if (form.dataset.digest !== digest) return { message: "It has changed since you looked: look at it again." };
    this.fields = [...this.place.querySelectorAll('[name="arguments"]')];
    this.whole = this.place.querySelector('[name="whole"]');
    (this.fields[0] ?? this.whole)?.focus();
    return {};
  }

  // The dialog is closed: what is still on its way belongs to nothing that is shown.
  leave() {
    this.turn += 1;
    clearTimeout(this.timer);
    this.place.replaceChildren();
  }

  // All arguments, as JSON text. What stands in a field of JSON goes as it is: nothing is rounded here.
  text() {
    return this.#isWhole() ? this.whole.value : this.#joined();
  }

  #joined() {
    const members = this.fields.map(
      (field) =>
        `${field.dataset.argument}: ${field.dataset.kind === "text" ? JSON.stringify(field.value) : field.value}`,
    );
    return `{\n  ${members.join(",\n  ")}\n}`;
  }

  #isWhole() {
    return this.whole.closest("details").open || this.fields.length === 0;
  }

  // The JSON takes over what stands in the fields; the fields wait until it is closed.
  #toggled(details) {
    if (!details.matches(".edit-whole") || this.fields.length === 0) return;
    if (details.open) this.whole.value = this.#joined();
    for (const field of this.fields) field.disabled = details.open;
    this.#later();
  }

  #later() {
    this.turn += 1;
    this.ready(false);
    clearTimeout(this.timer);
    const turn = this.turn;
    this.timer = setTimeout(() => this.#compare(turn), PAUSE);
  }

  async #compare(turn) {
    const body = { digest: this.digest, arguments: this.text() };
    const came = await call("POST", `/actions/${encodeURIComponent(this.id)}/changes`, body);
    if (turn !== this.turn) return;
    const place = this.place.querySelector('[data-part="changes"]');
    if (!came.ok) {
      place.replaceChildren(paragraph(came.body.message, "problem"));
      return;
    }
    const { lines, more } = came.body;
    if (lines.length === 0) {
      place.replaceChildren(paragraph("Nothing changes: approve it as it is.", "muted"));
      return;
    }
    const shown = document.createElement("pre");
    shown.className = "code";
    shown.append(...lines.map(marked));
    place.replaceChildren(shown);
    if (more > 0) place.append(paragraph(`… and ${more} more lines`, "muted"));
    this.ready(true);
  }
}

function marked(line) {
  const kinds = { "    +": "ins", "    -": "del" };
  const made = document.createElement(kinds[line.slice(0, 5)] ?? "span");
  made.textContent = `${line}\n`;
  return made;
}

function paragraph(text, kind) {
  const made = document.createElement("p");
  made.className = kind;
  made.textContent = text;
  return made;
}
