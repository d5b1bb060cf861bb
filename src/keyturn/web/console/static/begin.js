// Beginning a connector: what is wrong is asked before anything is sent, so that a pasted text stays where it is.
"use strict";

{
  const form = document.querySelector("form[data-check]");
  const place = document.querySelector("[data-wrong]");

  const made = (name, text, className) => {
    const found = document.createElement(name);
    found.textContent = text;
    if (className) found.className = className;
    return found;
  };

  const said = ({ message, line, column }) => `${line ? `Line ${line}, column ${column}: ` : ""}${message}`;

  function show(errors) {
    for (const each of form.querySelectorAll(".error")) each.remove();
    for (const each of form.querySelectorAll("[aria-invalid]")) each.removeAttribute("aria-invalid");
    const list = document.createElement("ul");
    for (const each of errors) {
      const input = document.getElementById(each.pointer.slice(1));
      const item = document.createElement("li");
      item.append(input ? Object.assign(made("a", said(each)), { href: `#${input.id}` }) : said(each));
      list.append(item);
      if (!input) continue;
      input.setAttribute("aria-invalid", "true");
      const error = document.getElementById(`${input.id}-error`);
      if (error) {
        error.append(document.createElement("br"), said(each));
        continue;
      }
      input.before(Object.assign(made("span", said(each), "error"), { id: `${input.id}-error` }));
      const by = (input.getAttribute("aria-describedby") ?? "").split(" ").filter((id) => id && id !== `${input.id}-error`);
      input.setAttribute("aria-describedby", [...by, `${input.id}-error`].join(" "));
    }
    const box = made("div", "", "box summary");
    box.setAttribute("role", "alert");
    box.append(made("h2", "Not begun yet. What you pasted is still there."), list);
    place.replaceChildren(box);
    point(errors[0]);
  }

  // To the input, and in a text to the character that the error is about.
  function point({ pointer, line, column }) {
    const input = document.getElementById(pointer.slice(1));
    input?.focus();
    if (!line || !input?.matches("textarea")) return;
    const lines = input.value.split("\n");
    const at = lines.slice(0, line - 1).join("\n").length + (line > 1 ? 1 : 0) + column - 1;
    input.setSelectionRange(at, Math.min(at + 1, input.value.length));
  }

  form?.addEventListener("submit", async (event) => {
    event.preventDefault();
    let errors = [];
    try {
      const answer = await fetch(form.dataset.check, { method: "POST", body: new URLSearchParams(new FormData(form)), credentials: "same-origin" });
      errors = answer.ok ? (await answer.json()).errors : [];
    } catch {
      // the form itself says what is wrong then
    }
    if (errors.length) show(errors);
    else form.submit();
  });
}
