// Drafts: what somebody has written and not sent, kept in this tab. Escape, a session that ended and a console that
// is away cost nobody their words: they are there again when the same person is about to answer the same action.

const OURS = "guardtier.draft ";
const who = document.querySelector(".who > span")?.textContent.trim() ?? "";
const name = (draft) => `${OURS}${who} ${draft}`;

export function draftOf(draft) {
  if (!draft) return "";
  try {
    return sessionStorage.getItem(name(draft)) ?? "";
  } catch {
    return "";
  }
}

export function keepDraft(draft, text) {
  if (!draft) return;
  try {
    if (text) sessionStorage.setItem(name(draft), text);
    else sessionStorage.removeItem(name(draft));
  } catch {
    // nothing may be kept here
  }
}

// Who signs out leaves none behind.
document.querySelector(".who form")?.addEventListener("submit", () => {
  for (const key of Object.keys(sessionStorage)) if (key.startsWith(OURS)) sessionStorage.removeItem(key);
});
