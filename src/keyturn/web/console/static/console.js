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
