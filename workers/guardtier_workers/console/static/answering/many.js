// Many actions get the same answer: each is shown as it stands before, and what came of each after.

import { call } from "../api.js";
import { isPicked, toggle } from "../selection.js";
import { detail, fragment, lookAtList, reload } from "./panel.js";
import { forgetReasons, offerReasons, Sheet } from "./sheet.js";

const MOST = 200;
const KINDS = {
  approve: { title: "Approve these actions?", label: "Approve" },
  reject: { title: "Reject these actions?", label: "Reject", danger: true },
};

export const picked = () =>
  [...document.querySelectorAll("#rows .row-pick:checked")].map((box) => box.closest(".row").dataset.id);

// What of a row says what an answer to it would do: its digest, and how many have answered.
function rowSays(id) {
  const row = document.getElementById(`row-${id}`);
  return row ? `${row.dataset.digest} ${row.querySelector(".row-votes")?.textContent ?? ""}` : "";
}

export function answerMany(dialog) {
  let choice = "";
  let turn = 0; // of the dialog that is open
  const sheet = new Sheet(dialog, send);
  const items = sheet.part("items");
  const summary = sheet.part("summary");
  const cancel = dialog.querySelector('[data-do="cancel"]');
  items.addEventListener("change", count);
  document.addEventListener("live:change", (event) => changed(event.detail));
  dialog.addEventListener("close", () => items.replaceChildren());

  async function open(kind) {
    const ids = picked();
    if (ids.length === 0 || dialog.open || sheet.sending) return;
    choice = kind;
    const mine = (turn += 1);
    items.replaceChildren();
    summary.hidden = true;
    cancel.textContent = "Cancel";
    sheet.part("reason").hidden = false;
    sheet.open({ ...KINDS[kind], reasonRequired: kind === "reject" });
    sheet.ready(false);
    offerReasons(sheet, kind);
    const query = new URLSearchParams([["choice", kind], ...ids.slice(0, MOST).map((id) => ["id", id])]);
    const came = await fragment(`/answering/batch?${query}`);
    if (mine !== turn || !dialog.open) return; // closed meanwhile: it is none of what is shown now
    if (!came.ok) {
      sheet.end(came.message);
      return;
    }
    items.innerHTML = came.html;
    for (const item of items.querySelectorAll(".batch-item")) item.dataset.row = rowSays(item.dataset.id);
    const { can, reasonRequired } = items.querySelector(".batch-preview").dataset;
    sheet.reason.required ||= reasonRequired === "1";
    if (ids.length > MOST) tell(`At most ${MOST} at once: these are the first of ${ids.length}.`);
    if (can === "0") sheet.end("Nothing here can be answered by you.");
    count();
    if (isAnother(ids)) {
      tell("The action that is shown beside the list is not among these.");
      items.focus(); // whoever means that one presses Enter next
    } else (kind === "reject" ? sheet.reason : sheet.button).focus();
  }

  // Whether somebody looks at something else that they could answer: what is selected may be out of sight.
  function isAnother(ids) {
    const shown = detail();
    return Boolean(shown?.querySelector("#answer [data-do]")) && !ids.includes(shown.dataset.id);
  }

  // What has become of one since it was shown here: it is answered no more from here.
  function changed({ rows, gone }) {
    if (!dialog.open || sheet.sending || sheet.button.hidden) return;
    for (const item of items.querySelectorAll(".batch-item:not([data-out])")) {
      const { id } = item.dataset;
      const ended = gone.find((one) => one.id === id);
      const quicker = ended?.by ? `${ended.by} was quicker: it is ${ended.state}.` : "It does not wait any more.";
      if (ended && ended.state !== "parked") leaveOut(item, quicker);
      else if (ended || (rows.includes(id) && rowSays(id) !== item.dataset.row)) leaveOut(item, "It has changed: look at it again.");
    }
  }

  function leaveOut(item, words) {
    const box = item.querySelector('[name="item"]');
    item.dataset.out = "";
    box.checked = false;
    box.disabled = true;
    item.querySelector(".batch-said").textContent = `Left out: ${words}`;
    tell("Some have been answered or changed meanwhile: they are left out.");
    count();
  }

  const chosen = () =>
    [...items.querySelectorAll(".batch-item")].filter((item) => item.querySelector('[name="item"]').checked);

  function count() {
    const { label } = KINDS[choice];
    const number = chosen().length;
    sheet.button.textContent = `${label} ${number} ${number === 1 ? "action" : "actions"}`;
    sheet.ready(number > 0);
  }

  function tell(text) {
    summary.hidden = false;
    summary.classList.remove("problem");
    summary.textContent = text;
  }

  async function send() {
    const actions = chosen().map(({ dataset: { id, digest, shown } }) => ({ id, digest, shown }));
    const came = await call("POST", "/answers", { choice, reason: sheet.reason.value, actions });
    if (!came.ok) {
      if (came.status === 422) sheet.say(came.body.message);
      else sheet.end(came.body.message);
      return;
    }
    forgetReasons();
    for (const box of items.querySelectorAll('[name="item"]')) box.disabled = true;
    for (const result of came.body.results) show(result);
    lookAtList();
    done(came.body.results);
  }

  function show(result) {
    const item = [...items.querySelectorAll(".batch-item")].find((one) => one.dataset.id === result.id);
    item.dataset.outcome = result.outcome;
    const said = item.querySelector(".batch-said");
    said.textContent = result.words;
    said.classList.toggle("problem", result.outcome === "failed");
    const row = document.getElementById(`row-${result.id}`);
    if (row && isPicked(row)) toggle(row);
  }

  function done(results) {
    const failed = results.filter((one) => one.outcome === "failed").length;
    const words = `${results.length - failed} of ${results.length} answers count${failed ? `; ${failed} failed` : ""}.`;
    tell(words);
    summary.classList.toggle("problem", failed > 0);
    items.querySelector('[data-outcome="failed"]')?.scrollIntoView({ block: "nearest" });
    sheet.button.hidden = true;
    sheet.part("reason").hidden = true;
    sheet.part("reasons").hidden = true;
    cancel.textContent = "Close";
    cancel.focus();
    const shown = detail()?.dataset.id;
    if (results.some((one) => one.id === shown)) reload(shown);
  }

  return open;
}
