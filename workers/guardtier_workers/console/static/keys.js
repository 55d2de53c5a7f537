// Keys: what each does on this page. `?` shows them; they can be switched off, as WCAG 2.1.4 wants.

const OFF = "guardtier.keys.off";
const known = [];

// run(event) does it; when() says whether it makes sense at the moment.
export function register({ key, label, run, when = () => true }) {
  known.push({ key, label, run, when });
}

export const areOff = () => localStorage.getItem(OFF) === "1";
export const switchOff = (off) => (off ? localStorage.setItem(OFF, "1") : localStorage.removeItem(OFF));
export const all = () => known.map(({ key, label }) => ({ key, label }));

function isTyping(target) {
  return target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName);
}

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  if (isTyping(event.target) && event.target.type !== "checkbox") return;
  if (areOff() && event.key !== "?") return;
  if (document.querySelector("dialog[open]")) return;
  const found = known.find((one) => one.key === event.key && one.when());
  if (!found) return;
  event.preventDefault();
  found.run(event);
});
