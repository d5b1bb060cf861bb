// Beside a step's form: paths that are put in where the cursor is, and what a template makes of the last answer.
"use strict";

const inputOf = (button) => document.getElementById(button.dataset.into);

function changed(input, from, to) {
  input.focus();
  input.setSelectionRange(from, to);
  input.dispatchEvent(new Event("input", { bubbles: true }));
}

// Where nobody has put the cursor yet it would stand at the beginning: a lone reference is replaced then, other text
// goes on.
const visited = new WeakSet();
for (const button of document.querySelectorAll("[data-insert]")) {
  button.hidden = false;
  inputOf(button).addEventListener("focus", ({ target }) => visited.add(target));
  button.addEventListener("click", () => {
    const input = inputOf(button);
    const here = visited.has(input) || input === document.activeElement;
    const lone = /^\{\{[^{}]*\}\}$/.test(input.value.trim());
    const [at, to] = here
      ? [input.selectionStart, input.selectionEnd]
      : [lone ? 0 : input.value.length, input.value.length];
    input.setRangeText(button.dataset.insert, at, to, "end");
    changed(input, at + button.dataset.insert.length, at + button.dataset.insert.length);
  });
}

// A filter goes into the last reference.
for (const button of document.querySelectorAll("[data-filter]")) {
  button.hidden = false;
  button.addEventListener("click", () => {
    const input = inputOf(button);
    const end = input.value.lastIndexOf("}}");
    if (end < 0) return;
    const begin = input.value.lastIndexOf("{{", end);
    const inner = input.value.slice(begin + 2, end).split("|").map((each) => each.trim());
    if (inner.includes(button.dataset.filter)) return;
    input.setRangeText(`{{ ${[...inner, button.dataset.filter].join(" | ")} }}`, begin, end + 2, "end");
    changed(input, input.value.length, input.value.length);
  });
}

document.addEventListener("keyturn:previewed", ({ detail: { last } }) => {
  const place = document.querySelector("[data-outcome]");
  if (!place || !last || last.text === undefined) return;
  place.textContent = last.text || "nothing";
  document.querySelector("[data-same]").textContent =
    last.same === null ? "" : last.same ? `${last.same} connection${last.same === 1 ? " has" : "s have"} this id already.` : "No connection has this id yet.";
  document.querySelector("[data-outcome-notes]").replaceChildren(
    ...last.notes.map((text) => {
      const item = document.createElement("li");
      item.className = "finding warning";
      item.textContent = `▲ ${text}`;
      return item;
    }),
  );
});

// Step 2: the application's id and secret are a form of their own; typed there, they go along when the step is saved.
const application = document.querySelector("form[action$='/client']");
const ofStep = document.querySelector("form[data-preview]");
if (application && ofStep) {
  ofStep.addEventListener("submit", async (event) => {
    if (!application.elements.client_id.value.trim()) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    const body = new URLSearchParams(new FormData(application));
    const asked = { method: "POST", body, redirect: "manual" };
    const answer = await fetch(application.getAttribute("action"), asked).catch(() => null);
    if (answer?.type !== "opaqueredirect") return application.requestSubmit(); // the page says what is wrong
    application.reset();
    ofStep.requestSubmit(event.submitter);
  });
}

// Step 9: what is put on a call stays marked while one types.
const marked = document.querySelector("[data-added]");
if (marked) {
  const before = new Set(marked.dataset.added.split(" "));
  document.addEventListener("keyturn:previewed", () => {
    for (const pre of document.querySelectorAll("[data-requests] pre")) {
      pre.className = "wire";
      const lines = pre.textContent.split("\n").map((line, n) => {
        const name = line.split(":")[0].toLowerCase();
        const typed = [...document.querySelectorAll("input[name^='request.headers.'][name$='.name']")].map(({ value }) => value.trim().toLowerCase());
        const added = n ? name && (before.has(name) || typed.includes(name)) : line.includes("?");
        const made = document.createElement(added ? "ins" : "span");
        made.textContent = line;
        return made;
      });
      pre.replaceChildren(...lines.flatMap((each, n) => (n ? ["\n", each] : [each])));
    }
  });
}
