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

const hex = (bytes) => Array.from(bytes, (one) => one.toString(16).padStart(2, "0")).join("");

const made = () => hex(crypto.getRandomValues(new Uint8Array(32)));

// What is kept from now on; "" where nothing can be.
function kept(one) {
  try {
    localStorage.setItem(PLACE, one);
  } catch {
    return "";
  }
  return one;
}

for (const form of document.querySelectorAll("form[data-seat]")) {
  form.addEventListener("submit", () => {
    form.elements.seat.value = kept(made());
  });
}

// To an identity provider and back: the address says the seat's digest, and nothing of the seat itself.
async function lead(link) {
  const one = made();
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(one));
  const to = new URL(link.href);
  to.searchParams.set("seat", hex(new Uint8Array(digest)));
  link.href = to.href;
  link.addEventListener("click", () => kept(one));
}

document.querySelectorAll("a[data-seat]").forEach(lead);
