// A dialog in which something is confirmed: opened, sent once, and what went wrong said in it.

import { call } from "../api.js";
import { draftOf, keepDraft } from "./drafts.js";

export class Sheet {
  // confirm(): called once for each sending; it sends, and settles what comes of it.
  constructor(dialog, confirm) {
    this.dialog = dialog;
    this.form = dialog.querySelector("form");
    this.button = dialog.querySelector('[data-do="confirm"]');
    this.alert = dialog.querySelector(".conflict");
    this.sending = false;
    this.isReady = true;
    this.reason.addEventListener("input", () => keepDraft(this.draft, this.reason.value));
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#send(confirm);
    });
    dialog.addEventListener("keydown", (event) => {
      const isSend = event.key === "Enter" && (event.ctrlKey || event.metaKey);
      if (!isSend && event.key !== "Escape") return;
      event.preventDefault();
      if (isSend) this.#send(confirm);
      else this.close();
    });
    dialog.addEventListener("cancel", (event) => {
      event.preventDefault();
      this.close();
    });
    dialog.querySelector('[data-do="cancel"]').addEventListener("click", () => this.close());
  }

  part(name) {
    return this.dialog.querySelector(`[data-part="${name}"]`);
  }

  get reason() {
    return this.form.elements.reason;
  }

  // `draft`: by which name a reason is kept until it is sent; "" for not at all.
  open({ title, label, danger = false, reasonRequired = false, draft = "" }) {
    this.back = document.activeElement;
    this.form.reset();
    this.draft = draft;
    this.reason.value = draftOf(draft);
    this.clear();
    this.dialog.querySelector("h2").textContent = title;
    this.button.textContent = label;
    this.button.hidden = false;
    this.button.className = danger ? "danger" : "primary";
    this.reason.required = reasonRequired;
    this.part("reason-label").textContent = reasonRequired ? "Reason (needed)" : "Reason";
    this.ready(true);
    this.dialog.showModal();
  }

  // Whether it can be confirmed at the moment.
  ready(is) {
    this.isReady = is;
    this.button.disabled = !is || this.sending;
  }

  close() {
    if (this.sending) return;
    this.dialog.close();
    const hasBack = this.back?.isConnected && this.back !== document.body;
    (hasBack ? this.back : document.getElementById("detail-title"))?.focus(); // at once: the next key counts
  }

  clear() {
    this.alert.hidden = true;
    this.alert.textContent = "";
    this.reason.removeAttribute("aria-invalid");
  }

  say(message) {
    this.alert.hidden = false;
    this.alert.textContent = message;
  }

  // Nothing more can be sent from here.
  end(message) {
    this.say(message);
    this.button.hidden = true;
  }

  async #send(confirm) {
    if (this.sending || !this.isReady || this.button.hidden || !this.dialog.open) return;
    this.clear();
    if (this.reason.required && !this.reason.value.trim()) {
      this.reason.setAttribute("aria-invalid", "true");
      this.reason.focus();
      this.say("Say why: the agent's model reads it, and whoever looks at it later.");
      return;
    }
    this.sending = true;
    this.ready(this.isReady);
    this.button.setAttribute("aria-busy", "true");
    try {
      await confirm();
    } finally {
      this.sending = false;
      this.button.removeAttribute("aria-busy");
      this.ready(this.isReady);
    }
  }
}

const asked = new Map();

// Buttons with the visitor's own reasons of late; one click takes it.
export async function offerReasons(sheet, choice) {
  const place = sheet.part("reasons");
  place.hidden = true;
  const came = await (asked.get(choice) ?? remember(choice));
  if (!came.ok || !sheet.dialog.open) return;
  place.replaceChildren(...came.body.reasons.map((reason) => taking(reason, sheet)));
  place.hidden = came.body.reasons.length === 0;
}

// They are asked for anew once something was answered.
export const forgetReasons = () => asked.clear();

function remember(choice) {
  const came = call("GET", `/reasons?choice=${choice}`);
  asked.set(choice, came);
  return came;
}

function taking(reason, sheet) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "small";
  button.textContent = reason.length > 80 ? `${reason.slice(0, 79)}…` : reason;
  button.addEventListener("click", () => {
    sheet.reason.value = reason;
    keepDraft(sheet.draft, reason);
    sheet.reason.focus();
  });
  return button;
}
