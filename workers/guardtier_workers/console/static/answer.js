// Answering: the buttons and keys by which actions are approved, rejected and edited, one or many at once.

import { answerMany, picked } from "./answering/many.js";
import { answerOne } from "./answering/one.js";
import { detail } from "./answering/panel.js";
import { register } from "./keys.js";

const ONE = ["approve", "reject", "edit", "remember"];
const MANY = { "batch-approve": "approve", "batch-reject": "reject" };

const dialog = document.getElementById("answer-dialog");
if (dialog) start();

function start() {
  const one = answerOne(dialog);
  const many = answerMany(document.getElementById("batch-dialog"));

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-do]");
    if (!button || button.closest("dialog")) return;
    const what = button.dataset.do;
    if (ONE.includes(what)) one(what);
    if (what in MANY) many(MANY[what]);
  });

  const isOne = () => detail()?.querySelector("#answer [data-do]") != null;
  const isAny = () => isOne() || picked().length > 0;
  const either = (kind) => () => (picked().length > 0 ? many(kind) : one(kind));
  register({ key: "a", label: "Approve it, or what is selected", run: either("approve"), when: isAny });
  register({ key: "r", label: "Reject it, or what is selected", run: either("reject"), when: isAny });
  register({ key: "e", label: "Edit it", run: () => one("edit"), when: isOne });
  register({ key: "l", label: "Approve it, and what is like it", run: () => one("remember"), when: isOne });
}
