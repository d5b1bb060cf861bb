"use strict";
// Nothing here is needed: the page works without it.
document.querySelectorAll(".password").forEach((box) => {
  const input = box.querySelector("input");
  const button = document.createElement("button");
  const status = document.createElement("span");
  button.type = "button";
  button.className = "plain";
  status.className = "unseen";
  status.setAttribute("role", "status");
  const show = (shown, told) => {
    input.type = shown ? "text" : "password";
    button.textContent = shown ? box.dataset.hide : box.dataset.show;
    if (told) status.textContent = shown ? box.dataset.shown : box.dataset.hidden;
  };
  show(false, false);
  button.addEventListener("click", () => show(input.type === "password", true));
  // A shown password must not be left on the screen, nor be kept by the browser as ordinary text.
  input.form.addEventListener("submit", () => show(false, false));
  window.addEventListener("pagehide", () => show(false, false));
  box.append(button, status);
});
document.querySelectorAll("form").forEach((form) => {
  let sent = false;
  const button = form.querySelector("button:not([type])");
  const label = button && button.textContent;
  form.addEventListener("submit", (event) => {
    if (sent) {
      event.preventDefault();
      return;
    }
    sent = true;
    if (form.dataset.once) {
      button.textContent = form.dataset.once;
      button.setAttribute("aria-disabled", "true");
    }
  });
  window.addEventListener("pageshow", (event) => {
    if (!event.persisted) return;
    sent = false;
    if (button) {
      button.textContent = label;
      button.removeAttribute("aria-disabled");
    }
  });
});
// Browsers that know `autofocus` on inputs only.
window.addEventListener("load", () => {
  const first = document.querySelector("[autofocus]");
  if (first && document.activeElement === document.body) first.focus();
});
const { origin, session, tells, state, next } = document.body.dataset;
// In a popup: the page that opened it hears how it goes, and nobody else does.
if (origin && window.opener) {
  const { opener } = window;
  opener.postMessage({ v: 1, type: `keyturn:${tells}`, session }, origin);
  window.addEventListener("message", ({ source, origin: from, data }) => {
    if (source === opener && from === origin && data && data.type === "keyturn:close") window.close();
  });
}
// While the provider waits for the person, or is asked.
const look = async () => {
  try {
    const answer = await fetch(state);
    if (!answer.ok || !(await answer.json()).waits) return location.replace(next);
  } catch {
    // asked again
  }
  setTimeout(look, 2000);
};
if (state) setTimeout(look, 2000);
