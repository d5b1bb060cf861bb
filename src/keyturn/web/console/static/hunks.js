// [ and ] lead from one difference of the text to the one before or after; they can be switched off like every letter key.
"use strict";

{
  const keys = document.getElementById("keys");
  document.addEventListener("keydown", (event) => {
    const step = { "[": -1, "]": 1 }[event.key];
    if (!step || keys?.dataset.on === undefined || keys.open || event.ctrlKey || event.metaKey || event.defaultPrevented) return;
    if (event.target.closest("input, select, textarea, [contenteditable]")) return;
    const hunks = [...document.querySelectorAll(".hunk")];
    const at = hunks.indexOf(document.activeElement);
    const next = hunks[at < 0 ? (step > 0 ? 0 : hunks.length - 1) : at + step];
    if (!next) return;
    event.preventDefault();
    next.focus();
    next.scrollIntoView({ block: "center" });
  });
}
