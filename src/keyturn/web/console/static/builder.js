// The builder's comfort on top of pages that work without it: the preview while one types, rows of a trial as they come.
"use strict";

const DELAY_MS = 350;

const element = (name, text, className) => {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
};

const post = (url, form, signal) =>
  fetch(url, { method: "POST", body: new URLSearchParams(new FormData(form)), signal, credentials: "same-origin" });

// Calls `work` some time after the last change of a form; an answer that a later change has overtaken is dropped.
// `place` is busy meanwhile: it is about to say something else.
function whenTyped(form, place, work) {
  let timer, running;
  form.addEventListener("input", () => {
    clearTimeout(timer);
    place.setAttribute("aria-busy", "true");
    timer = setTimeout(async () => {
      running?.abort();
      const mine = (running = new AbortController());
      try {
        await work(mine.signal);
      } catch {
        // the next change asks again
      }
      if (running === mine) place.removeAttribute("aria-busy");
    }, DELAY_MS);
  });
}

// A sentence in pieces, as the page's own are written; a plain text has its code in backticks.
function said(sentence) {
  const parts = Array.isArray(sentence)
    ? sentence
    : sentence.split("`").map((text, n) => ({ text, kind: n % 2 ? "code" : "" }));
  return parts.map(({ text, kind, href }) => {
    if (kind === "code") return element("code", text);
    return kind === "link" ? Object.assign(element("a", text), { href }) : text;
  });
}

function whereOf(each) {
  if (each.href) return [Object.assign(element("a", each.label || "Go to the step"), { href: each.href }), ": "];
  return each.line ? [`Line ${each.line}${each.column ? `, column ${each.column}` : ""}: `] : [];
}

function showFindings(list, answer, none) {
  const items = answer.errors.map((each) => {
    const item = element("li", undefined, "finding error");
    item.append(...whereOf(each), ...said(each.message));
    return item;
  });
  for (const each of answer.findings) {
    const item = element("li", undefined, `finding ${each.severity}`);
    const mark = { error: "■", warning: "▲" }[each.severity] ?? "●";
    const code = element("b");
    code.append(Object.assign(element("span", mark), { ariaHidden: "true" }), ` ${each.code}`);
    const remedy = element("span", undefined, "quiet");
    remedy.append(...said(each.remedy));
    item.append(code, " ", element("span", `${each.severity}: `, "unseen"), ...whereOf(each), ...said(each.message), " ", remedy);
    items.push(item);
  }
  list.replaceChildren(...(items.length ? items : [element("li", none)]));
}

const step = document.querySelector("form[data-preview]");
if (step) {
  const panel = document.getElementById("panel");
  whenTyped(step, panel, async (signal) => {
    const response = await post(step.dataset.preview, step, signal);
    if (!response.ok) return;
    const answer = await response.json();
    showFindings(panel.querySelector("[data-findings]"), answer, "None for this step.");
    panel.querySelector("[data-state]").textContent = answer.errors.length ? "The form can't be read yet." : "As it is typed; not saved.";
    if (answer.errors.length) return;
    panel.querySelector("[data-yaml]").textContent = answer.yaml;
    const requests = answer.requests.flatMap(({ title, text }) => [element("h2", title), element("pre", text)]);
    panel.querySelector("[data-requests]").replaceChildren(...(requests.length ? requests : document.querySelector(".phone") ? [] : [element("p", "This step sends nothing by itself.")]));
    document.dispatchEvent(new CustomEvent("keyturn:previewed", { detail: answer }));
  });
  for (const tab of panel.querySelectorAll("[data-tab]")) {
    tab.addEventListener("click", (event) => {
      event.preventDefault();
      for (const other of panel.querySelectorAll("[data-tab]")) {
        other.toggleAttribute("aria-current", other === tab);
        if (other === tab) other.setAttribute("aria-current", "true");
        panel.querySelector(`[data-pane=${other.dataset.tab}]`).hidden = other !== tab;
      }
    });
  }
}

const text = document.querySelector("form[data-lint]");
if (text) {
  const list = document.querySelector("[data-findings]");
  whenTyped(text, list, async (signal) => {
    const response = await post(text.dataset.lint, text, signal);
    if (response.ok) showFindings(list, await response.json(), "None.");
  });
}

for (const input of document.querySelectorAll("input[data-into]")) {
  input.addEventListener("change", async () => {
    if (input.files.length) document.querySelector(input.dataset.into).value = await input.files[0].text();
  });
}

const trace = document.querySelector("[data-events]");
if (trace) {
  const told = document.querySelector("[data-told]");
  const events = new EventSource(trace.dataset.events);
  const marks = { ok: "✓", failed: "✗", skipped: "–" };
  events.addEventListener("row", ({ data }) => {
    const row = JSON.parse(data);
    const summary = element("summary");
    summary.append(element("span", marks[row.mark], "mark"), " ", element("b", `${row.step || ""} ${row.title}`), " ");
    if (row.place) summary.append(element("code", row.place), " ");
    if (row.status !== null) summary.append(element("span", String(row.status), "number"), " ");
    if (row.ms !== null) summary.append(element("span", `${row.ms} ms`, "quiet number"));
    const details = element("details");
    details.append(summary);
    for (const [name, kind] of [["text", "p"], ["diagnosis", "p"], ["request", "pre"], ["answer", "pre"]]) {
      if (row[name]) details.append(element(kind, row[name], name === "diagnosis" ? "error" : undefined));
    }
    const item = element("li", undefined, row.mark);
    item.append(details);
    trace.append(item);
    told.textContent = `${row.title}: ${row.mark}`;
  });
  for (const kind of ["asking", "held", "ended"]) {
    events.addEventListener(kind, () => {
      events.close();
      location.reload();
    });
  }
}

// Alt+arrows lead to the step before and after, as the links do.
document.addEventListener("keydown", (event) => {
  if (!event.altKey || !["ArrowUp", "ArrowDown"].includes(event.key)) return;
  const steps = [...document.querySelectorAll(".tasks a")];
  const here = steps.findIndex((each) => each.hasAttribute("aria-current"));
  const there = steps[here + (event.key === "ArrowDown" ? 1 : -1)];
  if (here >= 0 && there) {
    event.preventDefault();
    there.click();
  }
});
