// One action is answered: approved, rejected, edited, or approved with what is like it.

import { call, say } from "../api.js";
import { keepDraft } from "./drafts.js";
import { EditForm } from "./edit.js";
import { LikeForm } from "./like.js";
import { detail, focusOutcome, fragment, lookAtList, reload } from "./panel.js";
import { forgetReasons, offerReasons, Sheet } from "./sheet.js";

const KINDS = {
  approve: { title: "Approve this action?", label: "Approve", choice: "approve" },
  reject: { title: "Reject this action?", label: "Reject", choice: "reject", danger: true },
  edit: { title: "Change it, and approve what you made of it", label: "Send the change", choice: "approve" },
  remember: { title: "Approve it, and what is like it", label: "Approve and remember", choice: "approve" },
};

export function answerOne(dialog) {
  let now = null; // what is being answered: {kind, id, digest}, as it was shown when the dialog was opened
  const sheet = new Sheet(dialog, send);
  const ready = (is) => sheet.ready(is);
  const edit = new EditForm(sheet.part("edit"), ready);
  const like = new LikeForm(
    sheet.form,
    {
      like: sheet.part("like"),
      patterns: sheet.part("patterns"),
      grant: sheet.part("grant"),
      below: sheet.part("below"),
    },
    ready,
  );
  const lookAgain = dialog.querySelector('[data-do="look-again"]');
  lookAgain.addEventListener("click", () => {
    sheet.close();
    focusOutcome();
  });
  document.addEventListener("live:change", (event) => changed(event.detail));
  dialog.addEventListener("close", () => {
    edit.leave();
    like.leave();
  });

  async function open(kind) {
    const shown = detail();
    const button = shown?.querySelector(`#answer [data-do="${kind}"]`);
    if (!button || button.closest("[inert]") || dialog.open || sheet.sending) return;
    if (button.getAttribute("aria-disabled") === "true") {
      say(button.dataset.why, "warn");
      return;
    }
    const { id, digest, shown: seen } = shown.dataset;
    const mine = (now = { kind, id, digest, seen });
    const { choice, ...words } = KINDS[kind];
    const wanted = shown.querySelector("#answer").dataset.reasonRequired === "1";
    describe(shown, kind);
    lookAgain.hidden = true;
    for (const name of ["edit", "like", "retry"]) sheet.part(name).hidden = true;
    sheet.part("retry").hidden = kind !== "reject";
    sheet.open({ ...words, reasonRequired: wanted || kind === "reject", draft: `${kind} ${id}` });
    (kind === "reject" ? sheet.reason : sheet.button).focus();
    offerReasons(sheet, choice);
    const form = { edit, remember: like }[kind];
    const { message } = form ? await form.load(now.id, now.digest) : {};
    if (message && mine === now) sheet.end(message);
  }

  // What it would run, and what the answer does, as the panel has them.
  function describe(shown, kind) {
    sheet.part("tool").replaceChildren(...copied(shown.querySelector("#detail-title")?.childNodes ?? []));
    sheet.part("who").textContent = shown.querySelector(".panel-who")?.textContent.trim() ?? "";
    const runs = kind === "edit" ? [] : whatRuns(shown);
    sheet.part("runs").replaceChildren(...copied(runs));
    sheet.part("runs").hidden = runs.length === 0;
    sheet.part("words").replaceChildren(...copied(wordsOf(shown, kind)));
  }

  async function send() {
    const { kind, id, digest, seen } = now;
    const reason = sheet.reason.value;
    const path = `/actions/${encodeURIComponent(id)}`;
    const came =
      kind === "edit"
        ? await call("POST", `${path}/edit`, { digest, reason, arguments: edit.text() })
        : await call("POST", `${path}/answer`, { digest, shown: seen, reason, ...saidBy(kind) });
    if (!came.ok) {
      await failed(came);
      return;
    }
    keepDraft(sheet.draft, "");
    sheet.sending = false;
    sheet.close();
    forgetReasons();
    say(came.body.words, came.body.outcome === "riskier" ? "warn" : "info");
    if (detail()?.dataset.id === id) detail().querySelector("#answer")?.toggleAttribute("inert", true); // until it says so too
    lookAtList();
    await reload(id);
    if (detail()?.dataset.id === id) focusOutcome();
  }

  function saidBy(kind) {
    const { choice } = KINDS[kind];
    const retry = sheet.form.elements.retry.value;
    if (kind === "remember") return { choice, remember: like.wish };
    return kind === "reject" && retry !== "" ? { choice, retry: +retry } : { choice };
  }

  // Somebody was quicker while this was being considered: it is said at once, and nothing is sent any more.
  async function changed({ rows, gone }) {
    if (!dialog.open || sheet.sending || sheet.button.hidden) return;
    const mine = now;
    const { id, digest } = now;
    const ended = gone.find((one) => one.id === id);
    if (ended && ended.state !== "parked") {
      const without = ended.state === "expired" ? "Its deadline has passed." : "It does not wait any more.";
      stop(ended.by ? `${ended.by} was quicker: it is ${ended.state}.` : without);
    } else if (ended || rows.includes(id)) {
      const came = await fragment(`/actions/${encodeURIComponent(id)}/panel`);
      if (came.ok && now === mine && dialog.open && !sheet.sending && !sheet.button.hidden) compare(came.html);
    }
  }

  // Others' answers change what this one does: it may decide now.
  function compare(html) {
    const fresh = new DOMParser().parseFromString(html, "text/html").getElementById("detail");
    if (fresh?.dataset.digest !== now.digest) {
      stop("An approver has changed what it would run, while you were looking.");
      return;
    }
    const button = fresh.querySelector(`#answer [data-do="${now.kind}"]`);
    if (button?.dataset.why !== undefined) {
      stop(button.dataset.why);
      return;
    }
    const words = wordsOf(fresh, now.kind);
    if (!button || said(words) === said(sheet.part("words").children)) return;
    sheet.part("words").replaceChildren(...copied(words));
    sheet.say("Somebody has answered it meanwhile. What yours does now stands above.");
  }

  function stop(words) {
    sheet.end(`${words} Nothing of yours was sent.`);
    lookAgain.hidden = false;
    lookAgain.focus();
    reload(now.id);
  }

  // What is wrong with the answer can be mended; anything else has to be looked at again.
  async function failed({ status, body }) {
    if (status === 422) {
      sheet.say(body.message);
      if (body.field === "reason") sheet.reason.focus();
      return;
    }
    sheet.end(body.message);
    lookAgain.hidden = false;
    lookAgain.focus();
    reload(now.id); // not waited for: the dialog can be closed meanwhile
  }

  return open;
}

// What such an answer does, as a panel has it.
function wordsOf(shown, kind) {
  const lists = kind === "remember" ? ["remember", "approve"] : [kind];
  return lists.flatMap((name) => [...shown.querySelectorAll(`[data-before="${name}"] > li`)]);
}

const said = (words) => [...words].map((one) => one.textContent).join("\n");

// The values below the first heading: of the tool and its arguments, not of what the agent says about them.
function whatRuns(shown) {
  const found = [];
  for (const child of shown.querySelector(".evidence")?.children ?? []) {
    if (found.length > 0 && child.matches("h3, section")) break;
    if (child.matches("dl.values")) found.push(child);
  }
  return found;
}

// Copies without names that are on the page already, and without buttons that do something there.
function copied(nodes) {
  return [...nodes].map((node) => {
    const copy = node.cloneNode(true);
    if (copy.nodeType !== Node.ELEMENT_NODE) return copy;
    for (const one of [copy, ...copy.querySelectorAll("[id]")]) one.removeAttribute("id");
    for (const one of copy.querySelectorAll("button")) {
      const text = document.createElement("span");
      text.className = "muted";
      text.textContent = one.textContent.replace(/^show /, "") + " are not shown here";
      one.replaceWith(text);
    }
    return copy;
  });
}
