// Workers and fleets: trying dead letters again, halting and resuming. What the tier said is what is shown.

import { call, say } from "./api.js";
import { renew } from "./poll.js";

const STARTS = { retry: startRetry, halt: startHalt, resume: startResume };

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-do]");
  if (!button) return;
  if (button.dataset.do === "close" && button.closest("#retry-dialog, #halt-dialog, #resume-dialog")) {
    button.closest("dialog").close();
  } else if (STARTS[button.dataset.do] && button.getAttribute("aria-disabled") !== "true") {
    STARTS[button.dataset.do](button);
  }
});

function startRetry(button) {
  const { letter, about } = button.dataset;
  ask("retry-dialog", about, async (given) => {
    const answer = await call("POST", `/dead/${encodeURIComponent(letter)}/retry`, { reason: given.get("reason") });
    if (!answer.ok) return answer.body.message;
    say("It is work again.");
    document.getElementById(`dead-${letter.replace(".", "-")}`)?.remove();
    return "";
  }, "dead-title");
}

function startResume(button) {
  const { fleet, agent, conversation, lifts, about } = button.dataset;
  ask("resume-dialog", about, async (given) => {
    const wanted = { ...whom(fleet, agent, conversation), reason: given.get("reason"), lifts: lifts.split(" ") };
    const answer = await call("POST", "/halts/resume", wanted);
    if (!answer.ok) return answer.body.message;
    say(answer.body.lifted ? `Resumed: ${answer.body.words}.` : "Nothing was halted by just these names any more.");
    return "";
  }, `halt-${fleet}`);
}

function startHalt(button) {
  const { fleet } = button.dataset;
  const dialog = document.getElementById("halt-dialog");
  dialog.querySelector("[data-fleet-name]").textContent = fleet;
  dialog.querySelector("form").hidden = false;
  dialog.querySelector("[data-outcome]").hidden = true;
  ask("halt-dialog", "", async (given) => {
    const wanted = {
      ...whom(fleet, given.get("agent").trim(), given.get("conversation").trim()),
      reason: given.get("reason"),
      then: given.get("then"),
      reject_parked: given.get("reject_parked") === "on",
    };
    const answer = await call("POST", "/halts", wanted);
    if (!answer.ok) return answer.body.message;
    cameTo(dialog, answer.body);
    return null;
  });
}

const whom = (fleet, agent, conversation) => ({ fleet, agent: agent || null, conversation: conversation || null });

// Opens a dialog. send(form's data) gives "" where it is done, null where the dialog stays, or what is wrong.
// The focus goes back to where it was; where that has gone, to `orElse`.
function ask(id, about, send, orElse = "") {
  const dialog = document.getElementById(id);
  const form = dialog.querySelector("form");
  const problem = dialog.querySelector("[data-problem]");
  const words = dialog.querySelector("[data-about]");
  const back = document.activeElement?.id;
  if (words) words.textContent = about;
  form.reset();
  problem.hidden = true;
  let sending = false;
  form.onsubmit = async (event) => {
    event.preventDefault();
    if (sending) return;
    sending = true;
    const button = form.querySelector('[data-do="confirm"]');
    button.setAttribute("aria-disabled", "true");
    const wrong = await send(new FormData(form));
    button.removeAttribute("aria-disabled");
    sending = false;
    if (wrong === "") dialog.close();
    problem.hidden = !wrong;
    if (wrong) problem.textContent = wrong;
  };
  dialog.onclose = async () => {
    await Promise.allSettled([...document.querySelectorAll("[data-poll]")].map(renew));
    (document.getElementById(back ?? "") ?? document.getElementById(orElse))?.focus();
  };
  dialog.showModal();
}

function cameTo(dialog, body) {
  const lines = [];
  if (!body.standing) lines.push("Somebody has resumed it meanwhile.");
  lines.push(`Everything new is ${body.halt.then === "reject" ? "rejected" : "parked"}.`);
  if (body.rejected) lines.push(`${body.rejected} that waited were rejected.`);
  if (body.waiting) lines.push(`${body.waiting} still wait for a person.`);
  const minutes = Math.max(1, Math.round((Date.now() - body.since) / 60000));
  const least = body.complete ? "" : "at least ";
  lines.push(
    body.not_stopped || !body.complete
      ? `Not stopped: ${least}${body.not_stopped} that were let go within the last ${minutes} min. They may have run, or be running:`
      : `Nothing of it was let go within the last ${minutes} min.`,
  );
  const list = dialog.querySelector("[data-outcome-lines]");
  list.replaceChildren(...lines.map((line) => item(line)), ...body.newest.map(letGo));
  dialog.querySelector("[data-outcome-title]").textContent = `Halted: ${body.words}`;
  dialog.querySelector("form").hidden = true;
  const outcome = dialog.querySelector("[data-outcome]");
  outcome.hidden = false;
  outcome.focus();
  say(`Halted: ${body.words}.`);
}

function item(...parts) {
  const made = document.createElement("li");
  made.append(...parts);
  return made;
}

function letGo(one) {
  const link = document.createElement("a");
  link.href = `/actions/${encodeURIComponent(one.id)}`;
  link.className = "mono";
  link.textContent = one.id;
  return item(`${one.event} `, link, ` of ${one.agent}${one.tool ? `, ${one.tool}` : ""}`);
}
