// Tabs: a browser has six connections to one site (HTTP/1.1). A stream holds one for good, so of the tabs that
// nobody looks at a few keep theirs; the others let go of it until somebody looks.

const PLACES = ["a", "b", "c"];
let leave = null; // gives the place of this tab back

function taken(place) {
  return new Promise((tell) => {
    const hold = (lock) => {
      tell(lock !== null);
      return lock && new Promise((release) => (leave = release));
    };
    navigator.locks.request(`guardtier.live.${place}`, { ifAvailable: true }, hold).catch(() => tell(false));
  });
}

async function hasPlace() {
  if (!navigator.locks) return false;
  for (const place of PLACES) if (await taken(place)) return true;
  return false;
}

// show() when somebody looks at this tab again; hide() when it has to let go.
export function watchTab(show, hide) {
  document.addEventListener("visibilitychange", async () => {
    const isKept = document.hidden && (leave !== null || (await hasPlace()));
    if (!document.hidden) {
      leave?.();
      leave = null;
      show();
    } else if (!isKept) hide();
  });
}
