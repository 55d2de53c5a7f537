// The policy file: a draft is checked, and then set under what its author has seen.
import { call, say } from "./api.js";
import { fail, once, open } from "./rules-dialog.js";
import { showCheck } from "./policy-check.js";
import { hiddenIn } from "./visible.js";

const form = document.getElementById("policy-form");
const dialog = document.getElementById("policy-dialog");
const SAYS_FIRST = "Check it first: its tests run, and what would change is shown. Nothing counts before you set it.";
let text, setButton, next, out, began;
let passed = null; // the text whose check was good, with the difference
let confirmed = null; // what the dialog's button does

const lines = (number, one) => `${number} ${one}${number === 1 ? "" : "s"}`;

function changed() {
  if (passed && passed.text === text.value) return;
  passed = null;
  setButton.disabled = true;
  next.textContent = SAYS_FIRST;
  const hidden = hiddenIn(text.value);
  const warning = document.getElementById("policy-hidden");
  warning.hidden = !hidden;
  warning.textContent = hidden
    ? `The text holds ${lines(hidden.count, "character")} that can’t be seen; the first is ${hidden.first} in line ${hidden.line}.`
    : "";
}

async function check() {
  const button = form.querySelector("[data-rules=check]");
  if (button.disabled) return;
  const asked = text.value;
  button.disabled = true;
  out.setAttribute("aria-busy", "true");
  out.textContent = "Checking…";
  const answer = await call("POST", "/policy-file/check", { text: asked });
  button.disabled = false;
  out.removeAttribute("aria-busy");
  if (!answer.ok) {
    showCheck(out, { problem: answer.body.message });
    return say(answer.body.message, "problem");
  }
  const told = showCheck(out, answer.body, goTo);
  say(told);
  if (answer.body.ok && text.value === asked) {
    passed = { text: asked, found: answer.body };
    const stands = answer.body.difference.same && form.dataset.agreed === "yes";
    setButton.disabled = stands;
    next.textContent = stands ? "It is what stands already." : "It can be set.";
  }
}

function goTo(line) {
  const starts = text.value.split("\n").slice(0, line - 1).join("\n").length + (line > 1 ? 1 : 0);
  const ends = text.value.indexOf("\n", starts);
  text.focus();
  text.setSelectionRange(starts, ends < 0 ? text.value.length : ends);
  const height = parseFloat(getComputedStyle(text).lineHeight) || 20;
  text.scrollTop = Math.max(0, (line - 4) * height);
}

function confirm(title, what, label, run) {
  document.getElementById("policy-dialog-title").textContent = title;
  dialog.querySelector("[data-shows=what]").textContent = what;
  dialog.querySelector("[data-rules=confirm]").textContent = label;
  confirmed = run;
  open(dialog);
}

function askSet() {
  if (!passed) return;
  const { added, removed, changed: others } = passed.found.difference;
  const counts = `${lines(added.length, "rule")} added, ${removed.length} removed, ${others.length} changed; ${lines(passed.found.tests.length, "test")} passed.`;
  confirm("Set this policy file?", `It counts for all fleets from their next action on. ${counts}`, "Set it", async () => {
    const replaces = form.dataset.replaces || null;
    await done(await call("PUT", "/policy-file", { text: passed.text, replaces }));
  });
}

function askReset() {
  const what = "What was set at run time counts no longer: the settings’ policy file does, or none where they have none.";
  confirm("Reset the policy file?", what, "Reset it", async () => {
    const unreadable = form.dataset.source === "unreadable";
    const query = unreadable ? "" : `?replaces=${form.dataset.replaces || "none"}`;
    await done(await call("DELETE", `/policy-file${query}`));
  });
}

async function done(answer) {
  if (!answer.ok) {
    const again = answer.status === 409 ? " Your draft is kept: reload in another tab to see what stands, then check it again." : "";
    if (answer.status === 409) await seen();
    return fail(dialog, answer.body.message + again);
  }
  began = text.value; // nothing is lost now
  say(`Policy file: ${answer.body.words}`);
  location.assign("/policy");
}

// After a conflict: the next check and the next set are against what stands now.
async function seen() {
  const found = await call("GET", "/policy-file");
  if (!found.ok) return;
  form.dataset.replaces = found.body.set_digest ?? "";
  form.dataset.source = found.body.source;
  form.dataset.agreed = found.body.agreed ? "yes" : "no";
  passed = null;
  changed();
}

async function load(input) {
  const file = input.files[0];
  if (!file) return;
  if (file.size > 256 * 1024) return say("A policy file has at most 256 KiB.", "problem");
  text.value = await file.text();
  changed();
  text.focus();
}

if (form) {
  text = form.elements.text;
  began = text.value;
  setButton = form.querySelector("[data-rules=set]");
  next = document.getElementById("policy-next");
  out = document.getElementById("policy-check");
  text.addEventListener("input", changed);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    check();
  });
  setButton.addEventListener("click", askSet);
  form.querySelector("[data-rules=reset]").addEventListener("click", askReset);
  form.querySelector("[data-rules=load]").addEventListener("change", (event) => load(event.target));
  dialog.querySelector("[data-rules=confirm]").addEventListener("click", () => once(dialog, () => confirmed()));
  addEventListener("beforeunload", (event) => {
    if (text.value !== began) event.preventDefault();
  });
  changed();
}
