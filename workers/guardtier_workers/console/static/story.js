// Story: what was loaded at the end of a list is where the keyboard goes on.

let before = null;

const isMore = (target) => target?.classList?.contains("story-more");

// The end of a story is shown before what leads there is loaded; then it comes once more.
function once(list) {
  const seen = new Set();
  for (const item of list.querySelectorAll("[data-entry]")) {
    if (item.dataset.entry && seen.has(item.dataset.entry)) item.remove();
    seen.add(item.dataset.entry);
  }
}

document.addEventListener("htmx:beforeSwap", (event) => {
  if (isMore(event.detail.target)) before = { last: event.detail.target.previousElementSibling, list: event.detail.target.parentElement };
});

document.addEventListener("htmx:afterSettle", () => {
  if (!before) return;
  const { last, list } = before;
  before = null;
  once(list);
  const first = last ? last.nextElementSibling : list.firstElementChild;
  first?.querySelector("a, button")?.focus({ preventScroll: true });
});
