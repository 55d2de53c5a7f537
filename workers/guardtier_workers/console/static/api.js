// The JSON API, as the page itself uses it. What is refused comes back as {ok: false, status, body}.

import { seat } from "./seat.js";

const csrf = document.querySelector('meta[name="csrf"]')?.content ?? "";

const PATIENCE_MS = { GET: 20_000 }; // a connection that is only half there would be waited for without an end
const MOST_MS = 60_000; // what changes something; the console itself gives up before

// A signal for fetch(), which gives up after a while.
export function patience(milliseconds = PATIENCE_MS.GET) {
  const late = new AbortController();
  setTimeout(() => late.abort(), milliseconds);
  return late.signal;
}

// `own`: headers besides.
export async function call(method, path, body, own = {}) {
  const headers = { accept: "application/json", ...own };
  if (method !== "GET") {
    headers["x-csrf-token"] = csrf;
    headers["x-guardtier-seat"] = seat();
  }
  if (body !== undefined) headers["content-type"] = "application/json";
  let answer;
  try {
    answer = await fetch(`/api/v1${path}`, {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      credentials: "same-origin",
      signal: patience(PATIENCE_MS[method] ?? MOST_MS),
    });
  } catch {
    const message = "The console can't be reached. Nothing is known of what you sent: look at it again.";
    return { ok: false, status: 0, body: { code: "unreachable", message } };
  }
  let found = {};
  try {
    found = await answer.json();
  } catch {
    found = { code: "unreadable", message: `The console answered ${answer.status}.` };
  }
  if (answer.status === 401) {
    location.assign(`/login?next=${encodeURIComponent(location.pathname + location.search)}&ended=1`);
  }
  return { ok: answer.ok, status: answer.status, body: found };
}

// What was said of one action stands before none of the next: it goes, but for warnings.
export function unsay() {
  for (const toast of document.querySelectorAll("#toasts > .info")) toast.remove();
}

// Says something to screen readers, and shows it for a while. Text alone: never HTML.
export function say(text, kind = "info") {
  document.getElementById("said").textContent = text;
  unsay();
  const toast = document.createElement("p");
  toast.className = `toast ${kind}`;
  toast.textContent = text;
  document.getElementById("toasts").append(toast);
  setTimeout(() => toast.remove(), 8000);
}
