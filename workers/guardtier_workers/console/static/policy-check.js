// What a check of a policy file has found, on the page. Text alone: the file may say anything.
import { visible } from "./visible.js";

function element(name, content, className = "") {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.append(...(Array.isArray(content) ? content : [content]));
  return made;
}

const list = (items, className = "plain") =>
  element("ul", items.map((one) => element("li", one)), className);

function wrong(found, goTo) {
  const where = found.line ? ` (line ${found.line}${found.column ? `, column ${found.column}` : ""})` : "";
  const made = element("p", [visible(found.message), where, " "], "problem");
  if (found.line && goTo) {
    const button = element("button", `Go to line ${found.line}`);
    button.type = "button";
    button.addEventListener("click", () => goTo(found.line));
    made.append(button);
  }
  return made;
}

function tests(found) {
  if (!found.length) return [element("p", "It has no tests.", "muted")];
  const failed = found.filter((one) => !one.passed);
  const made = [element("p", `${found.length - failed.length} of ${found.length} tests pass.`)];
  if (failed.length) {
    made.push(list(failed.map((one) => [element("strong", [visible(one.name)]), ": ", visible(one.wrong)]), "problem"));
  }
  return made;
}

const KINDS = { "+": "added", "-": "removed", "@": "place" };

function difference(found) {
  if (found.same) return [element("p", "It is what stands: nothing would change.")];
  const named = ["added", "removed", "changed"].filter((what) => found[what].length);
  const made = named.length ? [list(named.map((what) => `rules ${what}: ${found[what].join(", ")}`))] : [];
  const pre = element("pre", [], "diff");
  pre.tabIndex = 0;
  pre.setAttribute("aria-label", "What would change, line by line");
  for (const line of found.lines) {
    const kind = /^(\+\+\+|---)/.test(line) ? "place" : KINDS[line[0]];
    pre.append(element("span", [visible(line), "\n"], kind ? `diff-line diff-${kind}` : "diff-line"));
  }
  made.push(pre);
  if (found.cut) made.push(element("p", "There is more: what is here is its beginning.", "muted"));
  return made;
}

// Returns what it comes to in a sentence.
export function showCheck(out, found, goTo) {
  if (found.problem) {
    out.replaceChildren(element("p", [visible(found.problem)], "problem"));
    return found.problem;
  }
  const failed = found.tests.filter((one) => !one.passed).length;
  let told = "It can be read, and its tests pass.";
  if (found.wrong) told = "It can’t be used yet.";
  else if (failed) told = `${failed} of its tests fail${failed === 1 ? "s" : ""}: it can’t be set yet.`;
  const parts = [element("h3", told)];
  if (found.wrong) parts.push(wrong(found.wrong, goTo));
  else {
    parts.push(element("p", `${found.rules} rules, ${found.fleets} fleets.`), ...tests(found.tests));
    if (found.advice.length) {
      parts.push(element("h3", "What is hardly meant"), list(found.advice.map((one) => [visible(one)]), "advice"));
    }
  }
  parts.push(element("h3", "What would change"), ...difference(found.difference));
  out.replaceChildren(...parts);
  return told;
}
