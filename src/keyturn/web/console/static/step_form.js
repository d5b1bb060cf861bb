// A step's form: what is typed goes along to the next page or is asked about, rows and folds need no reload, keys lead on.
// The page works without this script; then a step is saved by its buttons alone.
"use strict";

{
  const form = document.querySelector("form[data-preview], form[data-lint]");
  const status = document.getElementById("status");
  const typed = () => new URLSearchParams(new FormData(form)).toString();
  const saved = form && typed();
  let leaving = false;
  // A form that could not be saved is not sent again until something of it was changed: leaving it is asked about.
  const edited = () => typed() !== saved;
  const unsaved = () => edited() || "unsaved" in form.dataset;
  const worthSaving = () => edited() || form.dataset.unsaved === "typed";

  const carry = (name, value) => {
    const input = Object.assign(document.createElement("input"), { type: "hidden", name, value });
    input.dataset.carried = "";
    form.append(input);
  };

  // Where a link within the connector leads, as the form says it; null elsewhere.
  const within = (url) => {
    const [, id, rest = ""] = url.pathname.match(/^\/connectors\/([^/]+)(?:\/(.+))?$/) ?? [];
    if (!id || !location.pathname.startsWith(`/connectors/${id}/`)) return null;
    const then = rest.replace(/^edit\//, "") || "overview";
    return /^(\d|yaml|try|review|versions|overview)$/.test(then) ? then : null;
  };

  const saveAndGo = (then, at = "") => {
    carry("then", then);
    if (at) carry("at", at);
    leaving = true;
    form.submit();
  };

  const reveal = (id) => {
    const found = id && document.getElementById(id);
    if (!found || !form.contains(found)) return false;
    for (let each = found.closest("details"); each; each = each.parentElement.closest("details")) each.open = true;
    (found.matches("details") ? found.querySelector("summary") : found).focus();
    found.scrollIntoView({ block: "center" });
    return true;
  };

  if (form) {
    addEventListener("beforeunload", (event) => {
      if (!leaving && unsaved()) event.preventDefault();
    });
    form.addEventListener("submit", () => { leaving = true; });
    addEventListener("pageshow", () => {
      leaving = false;
      for (const each of form.querySelectorAll("[data-carried]")) each.remove();
    });
  }

  if (form?.dataset.preview) {
    const here = within(location);
    document.addEventListener("click", (event) => {
      const link = event.target.closest("a[href]");
      if (!link || event.defaultPrevented || event.button || event.ctrlKey || event.metaKey || event.shiftKey) return;
      if (link.origin !== location.origin || link.target) return;
      const id = decodeURIComponent(link.hash.slice(1));
      if (link.pathname === location.pathname) {
        if (id && reveal(id)) event.preventDefault();
        return;
      }
      const then = within(link);
      if (then === null || !worthSaving()) return;
      event.preventDefault();
      saveAndGo(then, id);
    });

    // The application's id and secret are another form: the step is saved first, so that neither throws the other away.
    const client = document.querySelector("form[action$='/client']");
    client?.addEventListener("submit", async (event) => {
      if (!unsaved()) return;
      event.preventDefault();
      const body = new URLSearchParams(new FormData(form));
      body.set("then", here);
      try {
        const answer = await fetch(form.action, { method: "POST", body, credentials: "same-origin" });
        // Also without being led on: put onto what somebody else has saved. Not where it led to the sign-in.
        if (answer.ok && within(new URL(answer.url)) !== null) {
          leaving = true;
          client.submit();
          return;
        }
      } catch {
        // said beneath
      }
      status.textContent = "The step can't be saved as it stands, so id and secret were not sent. What is wrong stands under Findings.";
      form.dispatchEvent(new Event("input"));
      status.scrollIntoView({ block: "center" });
    });

    form.addEventListener("click", (event) => {
      const button = event.target.closest("[data-add]");
      const table = button?.closest("fieldset");
      const rows = table ? [...table.querySelectorAll(":scope > .cells")] : [];
      if (!rows.length) return;
      event.preventDefault();
      const row = rows.at(-1).cloneNode(true);
      const at = row.dataset.row;
      const next = at.replace(/\d+$/, (n) => Number(n) + 1);
      row.dataset.row = next;
      for (const each of row.querySelectorAll(".out, .error")) each.remove();
      for (const each of row.querySelectorAll("[id], [name], [for]")) {
        for (const name of ["id", "name", "for"]) {
          const value = each.getAttribute(name);
          if (value?.startsWith(`${at}.`)) each.setAttribute(name, next + value.slice(at.length));
        }
        for (const name of ["aria-invalid", "aria-describedby"]) each.removeAttribute(name);
        if (each.matches("select")) each.selectedIndex = 0;
        else if (each.matches("input")) each.value = "";
      }
      rows.at(-1).after(row);
      row.querySelector("input").focus();
      if (rows.length > 22) button.hidden = true;
    });

    for (const button of form.querySelectorAll("[data-enter]")) {
      document.getElementById(button.dataset.enter).addEventListener("keydown", (event) => {
        if (event.key !== "Enter") return;
        event.preventDefault();
        form.requestSubmit(button);
      });
    }

    document.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
        event.preventDefault();
        if (worthSaving()) saveAndGo("try");
        else location.assign(location.pathname.replace(/\/edit\/.*/, "/try"));
      } else if (event.key === "F8") {
        event.preventDefault();
        nextProblem();
      }
    });

    // First those of this step, in their order, then the next step that has one.
    let last = null;
    const nextProblem = () => {
      const inputs = [...form.querySelectorAll("[aria-invalid=true]")];
      const named = [...document.querySelectorAll("[data-findings] .finding:not(.info) a[href^='#']")].map((each) => document.getElementById(decodeURIComponent(each.hash.slice(1))));
      const all = [...new Set([...inputs, ...named])].filter(Boolean);
      const following = all[all.indexOf(last) + 1];
      if (following && reveal(following.id)) {
        last = following;
        return;
      }
      const steps = [...document.querySelectorAll(".tasks a")];
      const at = steps.findIndex((each) => each.hasAttribute("aria-current"));
      const bad = [...steps.slice(at + 1), ...steps.slice(0, at)].find((each) => each.matches(".bad, .todo"));
      if (bad) bad.click();
      else status.textContent = "There is no other problem.";
    };

    addEventListener("hashchange", () => reveal(decodeURIComponent(location.hash.slice(1))));
    if (location.hash) reveal(decodeURIComponent(location.hash.slice(1)));
    if ("unsaved" in form.dataset) form.dispatchEvent(new Event("input"));
  }
}
