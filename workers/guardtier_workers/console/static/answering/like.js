// What is to be remembered of an approval: how much, whose, for how long; in the tier's words before it is given.

import { call } from "../api.js";

const WORDS = {
  exact: "exactly this call",
  command: "the same command, with other paths below the same folders",
  tool: "any call of this tool, rated no higher and with no other finding",
};

export class LikeForm {
  // ready(is): whether the words that are shown are of what is chosen.
  constructor(form, parts, ready) {
    this.form = form;
    this.parts = parts;
    this.ready = ready;
    this.turn = 0;
    parts.like.addEventListener("change", () => this.#draft());
  }

  async load(id, digest) {
    this.id = id;
    this.digest = digest;
    const turn = (this.turn += 1); // what was asked for before is none of this form's
    this.ready(false);
    this.parts.like.hidden = false;
    this.parts.patterns.replaceChildren();
    this.parts.grant.textContent = "";
    const came = await call("GET", `/actions/${encodeURIComponent(id)}/suggestions`);
    if (turn !== this.turn) return {};
    if (!came.ok) return { message: came.body.message };
    if (came.body.digest !== digest) return { message: "It has changed since you looked: look at it again." };
    if (came.body.suggestions.length === 0) return { message: came.body.why };
    this.parts.patterns.append(...came.body.suggestions.map(({ pattern }, at) => choice(pattern, at === 0)));
    this.form.elements.scope.value = came.body.suggestions[0].scope;
    await this.#draft();
    return {};
  }

  // The dialog is closed: what is still on its way belongs to nothing that is shown.
  leave() {
    this.turn += 1;
  }

  get wish() {
    const { pattern, scope, seconds, uses, below } = this.form.elements;
    const said = { pattern: pattern.value, scope: scope.value, seconds: +seconds.value, uses: +uses.value };
    const folder = below.value.trim();
    return folder && said.pattern === "command" ? { ...said, below: folder } : said;
  }

  async #draft() {
    const turn = (this.turn += 1);
    this.ready(false);
    this.parts.below.hidden = this.wish.pattern !== "command";
    const query = new URLSearchParams(this.wish);
    const came = await call("GET", `/actions/${encodeURIComponent(this.id)}/grant?${query}`);
    if (turn !== this.turn) return;
    const note = this.parts.grant;
    note.classList.toggle("problem", !came.ok);
    if (!came.ok) {
      note.textContent = came.body.message;
    } else if (came.body.digest !== this.digest) {
      note.textContent = "It has changed since you looked: look at it again.";
    } else {
      note.textContent = `Released from now on: ${came.body.words}.`;
      this.ready(true);
    }
  }
}

function choice(pattern, isChosen) {
  const label = document.createElement("label");
  const input = document.createElement("input");
  input.type = "radio";
  input.name = "pattern";
  input.value = pattern;
  input.checked = isChosen;
  label.append(input, ` ${WORDS[pattern] ?? pattern}`);
  return label;
}
