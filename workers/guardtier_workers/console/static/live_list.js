// The rows of #rows as they change: in order, and never moving what somebody is at.
//
// While the list is in use (focus, pointer, selection, or used in the last 5 s) what is new waits behind
// #arrived. A row whose action has ended says how, and leaves when whoever was there has moved on.
// Where #more has a button, it loads more rows: what belongs behind the last row is left to it.

import { made, again, rowsOf, atHand, ended, isEnded, isSame, renew, anchored } from "./live_rows.js";

const CALM_MS = 5_000;
const LINGER_MS = 2_000; // an ended row is there for so long at least
const SAY_MS = 10_000; // screen readers are told at most so often
const FIRST = 50; // rows of a page
const PAGE = 200;
const MOST_PAGES = 25;
const MOST_ROWS = 2_000; // then the list begins anew
const MOST_WAITING = 500; // rows held back; of more, the list is compared when they are wanted

export class List {
  #new = new Map(); // id → html of what waits to be shown
  #lost = false; // more has come than is held back
  #used = 0;
  #said = 0;
  #comparing = null; // what is told while the console is asked

  constructor() {
    const use = (event) => {
      if (event.target.closest?.("#rows")) this.#used = Date.now();
    };
    for (const name of ["pointermove", "pointerdown", "keydown", "wheel", "touchstart", "touchmove"]) {
      document.addEventListener(name, use, { passive: true });
    }
    document.addEventListener("focusin", (event) => {
      use(event);
      if (event.target.closest?.("#rows")) this.#clear();
    });
    document.addEventListener("click", (event) => {
      if (event.target.closest?.("#arrived")) this.reveal();
    });
    setInterval(() => this.#settle(), 1_000);
  }

  get waiting() {
    return this.#new.size;
  }

  get #list() {
    return document.getElementById("rows");
  }

  // Behind it, rows are left to "load more".
  get #last() {
    return document.querySelector("#more button") ? rowsOf(this.#list).at(-1)?.dataset.order : undefined;
  }

  // What the console tells: {rows: [{id, order, html}], gone: [{id, state, by}]}.
  change({ rows, gone }) {
    if (!this.#list) return;
    for (const one of gone) {
      this.#comparing?.gone.add(one.id);
      this.#new.delete(one.id);
      const row = document.getElementById(`row-${one.id}`);
      if (row) ended(row, one);
    }
    const fresh = [];
    for (const { id, html } of rows) {
      this.#comparing?.rows.add(id);
      const row = document.getElementById(`row-${id}`);
      if (row && isEnded(row)) row.replaceWith(again(row, html)); // it waits once more
      else if (!row) fresh.push([id, html]);
      else if (!isSame(row, html)) renew(row, html);
    }
    this.#add(fresh);
    this.#count();
  }

  // Compares the list with what the console has. Returns what has changed; null where it can't be asked.
  async compare(query) {
    const told = { rows: new Set(), gone: new Set() };
    this.#comparing = told;
    const found = await this.#ask(query);
    if (this.#comparing !== told || !this.#list) return { rows: [], gone: [] }; // a later one has begun
    this.#comparing = null;
    if (!found) return null;
    this.#lost = found.more && this.#last === undefined; // there is more than the page has, or could load
    if (this.#lost && !this.#isInUse) return this.#redraw(query);
    const there = new Set([...found.rows.map((row) => row.id), ...told.rows]);
    const end = found.more ? found.rows.at(-1).order : undefined;
    const gone = rowsOf(this.#list)
      .filter((row) => !isEnded(row) && !there.has(row.dataset.id))
      .filter((row) => end === undefined || row.dataset.order <= end)
      .map((row) => ({ id: row.dataset.id, state: "gone", by: "" }));
    for (const id of this.#new.keys()) if (!there.has(id)) this.#new.delete(id);
    const rows = found.rows.filter((row) => !told.gone.has(row.id) && !told.rows.has(row.id));
    this.change({ rows, gone });
    return { rows, gone };
  }

  // Shows what waits, and goes to the first of it.
  reveal() {
    const fresh = [...this.#new];
    this.#new.clear();
    this.#show(fresh);
    this.#count();
    const ids = new Set(fresh.map(([id]) => id));
    const first = rowsOf(this.#list).find((row) => ids.has(row.dataset.id));
    first?.querySelector(".row-open")?.focus();
    if (this.#lost) document.dispatchEvent(new CustomEvent("live:look"));
  }

  // Draws the list as if the page were loaded now: the first rows, and a button for more.
  #redraw(query) {
    this.#lost = false;
    this.#new.clear();
    this.#count();
    window.htmx?.ajax("GET", `/rows?${query}`, { target: "#list" });
    return { rows: [], gone: [] };
  }

  // The first rows: as many as are shown. null where that failed.
  async #ask(query) {
    const shown = rowsOf(this.#list).length + this.#new.size;
    const found = { rows: [], more: true };
    const isEnough = () => {
      const last = this.#last;
      return last === undefined ? found.rows.length >= shown : found.rows.at(-1).order >= last;
    };
    for (let page = 0; found.more && page < MOST_PAGES && !(page && isEnough()); page += 1) {
      const asked = new URLSearchParams(query);
      asked.set("limit", page ? PAGE : Math.min(PAGE, Math.max(FIRST, shown)));
      if (page) asked.set("after", found.rows.at(-1).order);
      try {
        const answer = await fetch(`/events/rows?${asked}`, { headers: { accept: "application/json" } });
        if (!answer.ok) return null;
        const { rows, more } = await answer.json();
        found.rows.push(...rows);
        found.more = more;
      } catch {
        return null;
      }
    }
    return found;
  }

  get #isInUse() {
    const list = this.#list;
    return (
      Date.now() - this.#used < CALM_MS ||
      list.contains(document.activeElement) ||
      list.matches(":hover") ||
      list.querySelector(".row-pick:checked") !== null ||
      document.querySelector("dialog[open]") !== null
    );
  }

  #add(fresh) {
    const last = this.#last;
    const near = fresh.filter(([, html]) => last === undefined || made(html).dataset.order <= last);
    if (!near.length) return;
    const unknown = near.filter(([id]) => !this.#new.has(id));
    if (this.#isInUse) {
      for (const [id, html] of near) {
        if (this.#new.has(id) || this.#new.size < MOST_WAITING) this.#new.set(id, html);
        else this.#lost = true;
      }
    } else this.#show(near);
    if (unknown.length) this.#say(unknown);
  }

  #show(fresh) {
    const list = this.#list;
    if (!list || !fresh.length) return;
    anchored(list, () => {
      for (const [id, html] of fresh) {
        if (document.getElementById(`row-${id}`)) continue;
        const row = made(html);
        const next = rowsOf(list).find((one) => one.dataset.order > row.dataset.order);
        if (next) next.before(row);
        else list.append(row);
        window.htmx?.process(row);
      }
    });
    document.dispatchEvent(new CustomEvent("live:rows"));
  }

  // Takes away what has ended, but for what somebody is at.
  #clear() {
    const list = this.#list;
    const ready = rowsOf(list).filter(
      (row) => isEnded(row) && Date.now() - row.dataset.endedAt > LINGER_MS && !atHand(row),
    );
    if (!ready.length) return;
    anchored(list, () => ready.forEach((row) => row.remove()));
    document.dispatchEvent(new CustomEvent("live:rows"));
  }

  #settle() {
    if (!this.#list || this.#isInUse) return;
    this.#clear();
    const fresh = [...this.#new];
    this.#new.clear();
    this.#show(fresh);
    this.#count();
    if (this.#lost) document.dispatchEvent(new CustomEvent("live:look"));
    else if (rowsOf(this.#list).length > MOST_ROWS) this.#redraw(this.#list.dataset.query);
  }

  #count() {
    const button = document.getElementById("arrived");
    if (!button) return;
    const number = this.#new.size;
    button.hidden = number === 0;
    const words = `${number}${this.#lost ? " or more" : ""} new`;
    if (button.textContent !== words) button.textContent = words;
  }

  #say(fresh) {
    const place = document.getElementById("said");
    if (!place || Date.now() - this.#said < SAY_MS) return;
    this.#said = Date.now();
    const many = fresh.length === 1 ? "A new action waits" : `${fresh.length} new actions wait`;
    const isHigh = fresh.some(([, html]) => made(html).dataset.risk === "HIGH");
    place.textContent = isHigh ? `${many}, of high risk` : many;
  }
}
