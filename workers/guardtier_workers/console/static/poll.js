// Parts of a page that are asked for again and again, while somebody looks at them.

import { patience } from "./api.js";

const MOST_FAILED = 2;

for (const part of document.querySelectorAll("[data-poll]")) follow(part);

function follow(part) {
  const trouble = document.querySelector("[data-poll-trouble]");
  let failed = 0;
  let isAsking = false;
  const timer = setInterval(async () => {
    if (isAsking || document.hidden || document.querySelector("dialog[open]") || isSelecting(part)) return;
    isAsking = true;
    try {
      await renew(part);
      failed = 0;
    } catch {
      failed += 1;
    }
    isAsking = false;
    if (!trouble) return;
    trouble.hidden = failed < MOST_FAILED;
    if (failed === MOST_FAILED) trouble.textContent = "This is old: the console, or Redis, can't be reached.";
  }, Number(part.dataset.seconds) * 1000);
  part.addEventListener("poll:end", () => clearInterval(timer));
}

// Somebody marks text there, to copy it.
function isSelecting(part) {
  const chosen = getSelection();
  return chosen !== null && !chosen.isCollapsed && part.contains(chosen.anchorNode);
}

// What is wrong for as long as it was is not read out every few seconds.
function sayOnce(old, fresh) {
  const said = [...old.querySelectorAll("[role=alert], [role=status], [data-said]")].map((one) => one.textContent);
  for (const one of fresh.querySelectorAll("[role=alert], [role=status]")) {
    if (!said.includes(one.textContent)) continue;
    one.removeAttribute("role");
    one.dataset.said = "";
  }
}

// Asks for the part now. The HTML is what the server's templates made; raises where there is none.
export async function renew(part) {
  const headers = { accept: "text/html", "x-guardtier-poll": "1" }; // a page that is merely open is no use of a session
  const answer = await fetch(part.dataset.poll, { headers, credentials: "same-origin", signal: patience() });
  if (answer.redirected || answer.status === 401) {
    location.assign("/login");
    return;
  }
  if (!answer.ok) throw new Error(`${answer.status}`);
  const fresh = document.createElement("template");
  fresh.innerHTML = await answer.text();
  sayOnce(part, fresh.content);
  const focused = part.contains(document.activeElement) ? document.activeElement.id : "";
  const open = [...part.querySelectorAll("details[open][id]")].map((one) => one.id);
  const scrolled = [...part.querySelectorAll(".scroll[id]")].map((one) => [one.id, one.scrollLeft]);
  part.replaceChildren(fresh.content);
  for (const id of open) document.getElementById(id)?.setAttribute("open", "");
  for (const [id, left] of scrolled) document.getElementById(id)?.scrollTo(left, 0);
  if (focused) document.getElementById(focused)?.focus();
}
