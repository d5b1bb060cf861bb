// Before a form is sent, and when somebody comes back to the page: does the session still live? Where it doesn't, nothing
// is sent, what was typed stays where it is, and the sign-in happens in another tab. Nothing is stored for that.
// Without this script the server answers with the form once more (`kept_forms`).
"use strict";

// A browser that lacks one of these sends its forms as ever.
if (HTMLFormElement.prototype.requestSubmit && HTMLDialogElement.prototype.showModal && AbortSignal.timeout) {
  const MAC_DIGITS = 64; // of a form's token; what follows says whose the form is
  const LONGEST_MS = 10000;
  const KNOWN_MS = 60000; // so long after an answer of the server's a form is sent at once
  const dialog = document.getElementById("signed-out");
  const status = document.getElementById("status");
  const tokens = () => [...document.querySelectorAll("input[name=form]")];
  const posted = (form) => form.getAttribute("method") === "post"; // `form.method` may be an input of that name
  let typed = false;
  let known = Date.now(); // when the session was last known to live: the page itself was answered to somebody signed in
  let asked = null;
  let busy = false;
  let passing = null;

  // "in", "out", "other": somebody else is signed in here; "away": the server can't be asked.
  const ask = () => (asked ??= answered().finally(() => { asked = null; }));
  async function answered() {
    known = 0;
    try {
      const answer = await fetch("/signed-in", { credentials: "same-origin", cache: "no-store", signal: AbortSignal.timeout(LONGEST_MS) });
      if (!answer.ok) return "away";
      const { token } = await answer.json();
      if (!token) return "out";
      if (token.slice(MAC_DIGITS) !== dialog.dataset.mark) return "other";
      for (const each of tokens()) each.value = token;
      known = Date.now();
      return "in";
    } catch {
      return "away";
    }
  }

  function show(how) {
    for (const each of dialog.querySelectorAll("[data-when]")) each.hidden = !each.dataset.when.split(" ").includes(how);
    if (!dialog.open) dialog.showModal();
  }

  // First of all listeners: the page's own hear of the form only when it is about to be sent.
  document.addEventListener("submit", async (event) => {
    const { target, submitter } = event;
    if (!posted(target) || !target.querySelector("input[name=form]") || target.hasAttribute("data-at-once")) return;
    const since = Date.now() - known;
    if (passing === target || (since >= 0 && since < KNOWN_MS)) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    if (busy) return;
    busy = true;
    const waiting = setTimeout(() => { status.textContent = "Waiting for the server, before anything is sent."; }, 300);
    const how = await ask();
    clearTimeout(waiting);
    status.textContent = "";
    busy = false;
    if (how !== "in") {
      show(how);
      return;
    }
    passing = target;
    target.requestSubmit(submitter);
    passing = null;
  }, { capture: true });

  document.addEventListener("input", ({ target }) => {
    if (target.form && posted(target.form)) typed = true;
  });

  async function look() {
    if (document.hidden || !(typed || dialog.open)) return;
    const how = await ask();
    if (how === "in" && dialog.open) {
      dialog.close();
      status.textContent = "You are signed in again, and what you typed is still here. It was not sent yet.";
    } else if (how === "out" || how === "other") {
      show(how);
    }
  }
  document.addEventListener("visibilitychange", look);
  addEventListener("focus", look);
}
