// A job's figures as they change. Without this script, or without a connection, a reload shows the same.
"use strict";

const place = document.querySelector("[data-live-from]");
if (place && window.EventSource) {
  const hint = place.querySelector(".no-live");
  const status = document.getElementById("status");
  const source = new EventSource(place.dataset.liveFrom);
  let spoken = 0;
  source.addEventListener("open", () => { if (hint) hint.hidden = true; });
  source.addEventListener("message", (event) => {
    const told = JSON.parse(event.data);
    for (const each of place.querySelectorAll("[data-live]")) {
      if (told[each.dataset.live] !== undefined) each.textContent = told[each.dataset.live] || each.textContent;
    }
    const bar = place.querySelector("[data-live-share]");
    if (bar && told.share !== null) bar.value = told.share;
    if (!bar && told.share !== null) location.reload();
    if (status && told.share !== null && told.share >= spoken + 25) {
      spoken = told.share - (told.share % 25);
      status.textContent = `${told.share} percent`;
    }
  });
  source.addEventListener("over", () => { source.close(); location.reload(); });
  source.addEventListener("error", () => { if (hint && source.readyState === EventSource.CLOSED) hint.hidden = false; });
}
