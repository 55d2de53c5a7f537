// Story: what was loaded at the end of a list is where the keyboard goes on.

let before = null;

const isMore = (target) => target?.classList?.contains("story-more");

document.addEventListener("htmx:beforeSwap", (event) => {
  if (isMore(event.detail.target)) before = { last: event.detail.target.previousElementSibling, list: event.detail.target.parentElement };
});

document.addEventListener("htmx:afterSettle", () => {
  if (!before) return;
  const { last, list } = before;
  before = null;
  const first = last ? last.nextElementSibling : list.firstElementChild;
  first?.querySelector("a, button")?.focus({ preventScroll: true });
});
