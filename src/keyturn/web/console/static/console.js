// What the console's pages do on top of working without a script: copying, and keys that lead somewhere.
"use strict";

for (const button of document.querySelectorAll("[data-copy]")) {
  const from = document.querySelector(button.dataset.copy);
  if (!from || !navigator.clipboard) continue;
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(from.value ?? from.textContent);
    const said = document.getElementById("status");
    if (said) said.textContent = "Copied.";
  });
}

// Lists that lead somewhere else are folded where there is little room, so that a page begins with what it is about.
const narrow = matchMedia("(max-width: 45rem)");
const foldLists = () => { for (const each of document.querySelectorAll("details.narrow-fold")) each.open = !narrow.matches; };
narrow.addEventListener("change", foldLists);
foldLists();

// The box above a list of connections stands for all of the page: without a script too, as it is sent along.
const everyBox = document.getElementById("pick-page");
const boxes = everyBox ? [...document.querySelectorAll("tbody input.pick")] : [];
const tellPicked = () => {
  const picked = boxes.filter((each) => each.checked).length;
  everyBox.checked = picked === boxes.length;
  everyBox.indeterminate = picked > 0 && picked < boxes.length;
  const option = document.querySelector("[data-picked]");
  if (option) option.textContent = `${option.dataset.picked} (${picked})`;
};
const pick = (which, on) => {
  for (const each of which) each.checked = on;
  tellPicked();
};
everyBox?.addEventListener("change", () => pick(boxes, everyBox.checked));
for (const each of boxes) each.addEventListener("change", tellPicked);
if (everyBox) tellPicked(); // a browser that goes back has them ticked still

// Keys that lead somewhere. They can be switched off (WCAG 2.1.4), and never fire while somebody types.
const list = document.getElementById("keys");
if (list) {
  const places = { c: "/connections", n: "/connectors", a: "/audit" };
  const opener = document.getElementById("keys-open");
  const search = () => document.querySelector("[data-search]");
  const rowBox = (target) => target.closest("a")?.closest("tr")?.querySelector("input.pick:not(#pick-page)");
  let led = 0; // when `g` was pressed
  opener.hidden = false;
  opener.addEventListener("click", () => list.showModal());
  if (location.hash === "#search") search()?.focus();
  document.addEventListener("keydown", (event) => {
    const { key, target } = event;
    if (list.dataset.on === undefined || document.querySelector("dialog[open]") || event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (target.closest("input, select, textarea, [contenteditable]")) return;
    const after = led && event.timeStamp - led < 1500;
    led = key === "g" && !after ? event.timeStamp : 0;
    if (after && places[key]) location.assign(places[key]);
    else if (key === "/") { if (search()) search().focus(); else location.assign("/connections#search"); }
    else if (key === "a" && everyBox) pick(boxes, !boxes.every((each) => each.checked));
    else if (key === " " && rowBox(target)) pick([rowBox(target)], !rowBox(target).checked);
    else if (key === "?") list.showModal();
    else return;
    event.preventDefault();
  });
}
