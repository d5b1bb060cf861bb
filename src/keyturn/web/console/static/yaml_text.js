// The text of a draft: at which step the caret is, and to the character that an error is about.
"use strict";

{
  const form = document.querySelector("form[data-steps]");
  const area = form?.querySelector("textarea");
  const place = document.querySelector("[data-place]");
  const steps = form ? JSON.parse(form.dataset.steps) : {};

  function told() {
    const lines = area.value.slice(0, area.selectionStart).split("\n");
    const whole = area.value.split("\n");
    let n = lines.length - 1;
    while (n > 0 && !/^["']?[a-z_]+["']?\s*:/.test(whole[n])) n -= 1;
    const key = whole[n].match(/^["']?([a-z_]+)/)?.[1];
    const found = steps[key];
    place.textContent = `Line ${lines.length}, column ${lines.at(-1).length + 1}`;
    if (!found) return;
    const link = document.createElement("a");
    link.href = location.pathname.replace(/yaml$/, found[0]);
    link.textContent = found[0] ? `step ${found[0]}, ${found[1]}` : found[1];
    place.append(": ", link);
  }

  if (area) {
    for (const kind of ["keyup", "click"]) area.addEventListener(kind, told);
    const { line, column } = form.dataset;
    if (line) {
      const at = area.value.split("\n").slice(0, line - 1).join("\n").length + (line > 1 ? 1 : 0) + Number(column || 1) - 1;
      area.focus();
      area.setSelectionRange(at, at);
      area.scrollTop = (line - 5) * parseFloat(getComputedStyle(area).lineHeight);
      told();
    }
  }
}
