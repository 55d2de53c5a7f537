// The seat: what this browser keeps for the session that it began, and sends with every change. A browser sends
// cookies to every port of a name; what is in its storage, it shows to this very address alone.

const PLACE = "guardtier-seat";

export function seat() {
  try {
    return localStorage.getItem(PLACE) ?? "";
  } catch {
    return ""; // nothing may be kept here: then the session was begun without one
  }
}

function taken() {
  const bytes = crypto.getRandomValues(new Uint8Array(32));
  const made = Array.from(bytes, (one) => one.toString(16).padStart(2, "0")).join("");
  try {
    localStorage.setItem(PLACE, made);
  } catch {
    return "";
  }
  return made;
}

for (const form of document.querySelectorAll("form[data-seat]")) {
  form.addEventListener("submit", () => {
    form.elements.seat.value = taken();
  });
}
