// Counts: how long something has waited (data-since), how long is left (data-until), by the server's clock.

const SOON = 60;
let skew = 0;

export function setClock(element) {
  const now = Number(element?.dataset.now);
  if (now) skew = now - Date.now();
}

function words(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min`;
  if (whole < 86400) return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
  return `${Math.floor(whole / 86400)} d ${Math.floor((whole % 86400) / 3600)} h`;
}

function left(seconds) {
  if (seconds <= 0) return "time is up";
  if (seconds >= 600) return `${words(seconds)} left`;
  const whole = Math.ceil(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")} left`;
}

// Times are told in UTC, the same for all; the reader's own stands there on hovering.
function nameLocal() {
  for (const element of document.querySelectorAll("time[datetime]:not([data-local])")) {
    const at = new Date(element.getAttribute("datetime"));
    if (Number.isNaN(at.getTime())) continue;
    element.dataset.local = "";
    element.title = at.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "long" });
  }
}

function put(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export function tick() {
  nameLocal();
  const now = Date.now() + skew;
  for (const element of document.querySelectorAll("time[data-since]")) {
    const since = words((now - Number(element.dataset.since)) / 1000);
    put(element, element.dataset.words ? `${since} ${element.dataset.words}` : since);
  }
  for (const element of document.querySelectorAll("time[data-until]")) {
    const seconds = (Number(element.dataset.until) - now) / 1000;
    put(element, left(seconds));
    element.classList.toggle("is-soon", seconds < SOON);
  }
}

setClock(document.querySelector("[data-now]"));
tick();
setInterval(tick, 1000);
