// Text that somebody else wrote, for a place on the page: what can't be seen is spelled out and marked.
// The same characters as cli/safe_text.py spells out, named as show/marked.py does.

const HIDDEN =
  /(?![ \n])[\p{C}\p{Z}]|[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u2800\u3164\uffa0\ufe00-\ufe0f]|[\u{e0100}-\u{e01ef}]|(?<=\p{M}\p{M})\p{M}/gu;

const spelled = (char) => `U+${char.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}`;

// A document fragment: text, and what is spelled out in a place of its own.
export function visible(text) {
  const made = document.createDocumentFragment();
  let from = 0;
  for (const found of text.matchAll(HIDDEN)) {
    made.append(text.slice(from, found.index));
    const mark = document.createElement("span");
    mark.className = "odd";
    mark.dataset.kind = "hidden";
    mark.textContent = spelled(found[0]);
    made.append(mark);
    from = found.index + found[0].length;
  }
  made.append(text.slice(from));
  return made;
}

// How many there are beside tabs, and the line of the first (from 1).
export function hiddenIn(text) {
  const found = [...text.matchAll(HIDDEN)].filter((one) => one[0] !== "\t" && one[0] !== "\r");
  if (!found.length) return null;
  const line = text.slice(0, found[0].index).split("\n").length;
  return { count: found.length, line, first: spelled(found[0][0]) };
}
