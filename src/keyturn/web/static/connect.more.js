"use strict";
// For pages that have something to copy or to wait for; they work without it.
// What somebody who asks for help sends along, to copy.
document.querySelectorAll("pre[data-copy]").forEach((text) => {
  if (!navigator.clipboard) return;
  const button = document.createElement("button");
  button.type = "button";
  button.className = "plain";
  button.textContent = text.dataset.copy;
  button.setAttribute("aria-describedby", "support");
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(text.textContent);
    button.textContent = text.dataset.copied;
  });
  text.after(button);
});
// How long until another code can be sent, counted down; not spoken, it would drown everything else.
document.querySelectorAll("[data-wait]").forEach((place) => {
  const ends = Date.now() + 1000 * Number(place.dataset.wait);
  const count = () => {
    const left = Math.ceil((ends - Date.now()) / 1000);
    place.textContent = left < 1 ? place.dataset.ready : left === 1 ? place.dataset.one : place.dataset.other.replace("#", left);
    if (left > 0) setTimeout(count, 1000);
  };
  count();
});
