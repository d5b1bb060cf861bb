"use strict";
// keyturn: opens a connect link in a popup and says how it ended. What is true is read by your backend, never here.
(() => {
  const here = new URL(document.currentScript.src).origin;
  const FINAL = { done: "onDone", confirmed: "onDone", failed: "onFailed", expired: "onFailed" };
  // link: the URL of a connect session, or a promise of one (the popup has to open within the click).
  const open = (link, options = {}) => {
    const popup = window.open("", "_blank", "popup,width=480,height=800");
    let over = !popup, ready = false, asking = false, last = null;
    const tell = (name) => options[name] && options[name]({ session: last, close: () => popup && popup.close() });
    const end = (name) => {
      if (over) return;
      over = true;
      clearInterval(timer);
      window.removeEventListener("message", hear);
      tell(name);
    };
    const hear = (event) => {
      if (event.origin !== here || event.source !== popup || !event.data || event.data.v !== 1) return;
      const { type, session } = event.data;
      last = session;
      if (type === "keyturn:ready" && !ready) {
        ready = true;
        tell("onReady");
      }
      if (type === "keyturn:done") end("onDone");
      if (type === "keyturn:failed") end("onFailed");
      if (type === "keyturn:exit") end("onExit");
    };
    // A page that isolates itself (COOP) sees its popup as closed at once, and hears nothing: then `check` is asked.
    const look = async () => {
      if (asking || !popup.closed) return;
      if (ready || !options.check) return end("onExit");
      asking = true;
      try {
        const name = FINAL[await options.check()];
        if (name) end(name);
      } catch {
        // asked again
      }
      asking = false;
    };
    window.addEventListener("message", hear);
    let timer;
    Promise.resolve(link).then(
      (url) => {
        if (new URL(url).origin !== here) throw new TypeError(`Keyturn.open takes a link of ${here}`);
        if (!popup) return location.assign(url); // popups are blocked: the same pages, in this window
        popup.location.replace(url);
        timer = setInterval(look, 2000);
      },
    ).catch((error) => {
      if (popup) popup.close();
      end("onFailed");
      throw error;
    });
    return { close: () => popup && popup.close() };
  };
  window.Keyturn = Object.freeze({ open });
})();
