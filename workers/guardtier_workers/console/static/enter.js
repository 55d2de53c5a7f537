// The page of a one-time link: /enter#NAME.CODE. What stands behind the # goes nowhere before the button is
// pressed, and is taken out of the address, so that the history does not keep it.

const form = document.getElementById("enter");

function read() {
  const found = location.hash.match(/^#([!-~]{1,400})\.([A-Za-z0-9_-]{20,128})$/);
  if (!form || !found) return;
  form.elements.name.value = decodeURIComponent(found[1]);
  form.elements.code.value = found[2];
  document.getElementById("enter-name").textContent = form.elements.name.value;
  document.getElementById("enter-none").hidden = true;
  form.hidden = false;
  form.querySelector("button").focus();
  history.replaceState(null, "", location.pathname);
}

read();
addEventListener("hashchange", read); // a second link, opened where the first one was
