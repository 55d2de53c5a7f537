// One row of the list, and what somebody is at.

const HOW = {
  approved: "Approved",
  rejected: "Rejected",
  expired: "Expired: nobody answered in time",
  parked: "Still waits, and belongs to another list now",
  gone: "Not waiting any more",
};

export const rowsOf = (list) => (list ? [...list.querySelectorAll(".row")] : []);
export const isEnded = (row) => row.dataset.state !== undefined;

// The element of a row's HTML, which the console's own templates rendered.
export function made(html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  return template.content.firstElementChild;
}

// Whether somebody is at this very row, or reads its detail.
export function atHand(row) {
  return (
    row.contains(document.activeElement) ||
    row.matches(":hover") ||
    row.classList.contains("is-current") ||
    document.getElementById("detail")?.dataset.id === row.dataset.id
  );
}

// Says in the row what has become of its action; it can't be picked any more. As high as it was before.
export function ended(row, { state, by }) {
  if (isEnded(row)) return;
  row.dataset.state = state;
  row.dataset.endedAt = Date.now();
  const pick = row.querySelector(".row-pick");
  if (pick) {
    if (pick.checked) pick.click(); // whoever counts what is picked is told
    pick.disabled = true;
  }
  const said = document.createElement("span");
  said.className = "row-ended";
  const words = HOW[state] ?? state;
  said.textContent = by ? `${words} by ${by}` : words;
  const foot = row.querySelector(".row-foot");
  if (foot) foot.replaceChildren(said);
  else row.append(said);
}

// Of times, which ones they are: the page tells them in words of its own.
function words(row) {
  const bare = row.querySelector(".row-open").cloneNode(true);
  for (const time of bare.querySelectorAll("time")) time.textContent = time.dateTime;
  return bare.textContent.replace(/\s+/g, " ");
}

// Whether a row says what this HTML says.
export function isSame(row, html) {
  const fresh = made(html);
  const { digest, order, group } = row.dataset;
  const { dataset } = fresh;
  const isLike = dataset.digest === digest && dataset.order === order && dataset.group === group;
  return isLike && words(fresh) === words(row);
}

// Has a row say something else. It stays the same element, at its place: focus and selection stay with it.
export function renew(row, html) {
  const fresh = made(html);
  for (const [name, value] of Object.entries(fresh.dataset)) row.dataset[name] = value;
  row.querySelector(".row-open")?.replaceChildren(...fresh.querySelector(".row-open").childNodes);
  const pick = row.querySelector(".row-pick");
  pick?.setAttribute("aria-label", fresh.querySelector(".row-pick").getAttribute("aria-label"));
  document.dispatchEvent(new CustomEvent("live:rows"));
}

// The row of what had ended and waits once more. Focus stays with it.
export function again(row, html) {
  const fresh = made(html);
  window.htmx?.process(fresh);
  if (row.contains(document.activeElement)) setTimeout(() => fresh.querySelector(".row-open")?.focus());
  return fresh;
}

function scrollerOf(list) {
  for (let one = list; one && one !== document.body; one = one.parentElement) {
    const { overflowY } = getComputedStyle(one);
    if (/auto|scroll/.test(overflowY) && one.scrollHeight > one.clientHeight) return one;
  }
  return document.scrollingElement;
}

// Changes the list, and keeps what somebody is at (or else what is first on the screen) where it is.
export function anchored(list, change) {
  const scroller = scrollerOf(list);
  const top = scroller === document.scrollingElement ? 0 : scroller.getBoundingClientRect().top;
  const rows = rowsOf(list);
  const isAtTop = scroller.scrollTop <= 1;
  const kept =
    rows.find((row) => row.contains(document.activeElement)) ??
    rows.find((row) => row.matches(":hover")) ??
    (isAtTop ? undefined : rows.find((row) => !isEnded(row) && row.getBoundingClientRect().bottom > top));
  const before = kept?.getBoundingClientRect().top;
  change();
  if (kept?.isConnected) scroller.scrollTop += kept.getBoundingClientRect().top - before;
}
