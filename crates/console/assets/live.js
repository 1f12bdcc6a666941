// Tells whether the live stream runs, empties a reply field once its text is sent, and shows why a command was refused.
"use strict";
(() => {
  const link = document.getElementById("link");
  const toast = document.getElementById("toast");
  const SHOWN_MS = 5000;
  let hiding = 0;

  const setLive = (live) => {
    link.hidden = false;
    link.dataset.state = live ? "live" : "stale";
  };
  const say = (text) => {
    toast.textContent = text;
    toast.hidden = false;
    clearTimeout(hiding);
    hiding = setTimeout(() => { toast.hidden = true; }, SHOWN_MS);
  };

  document.addEventListener("htmx:sse:after:connection", () => setLive(true));
  document.addEventListener("htmx:sse:after:message", () => setLive(true));
  document.addEventListener("htmx:sse:error", () => setLive(false));
  document.addEventListener("htmx:sse:close", () => setLive(false));
  document.addEventListener("htmx:sse:before:connection", (event) => {
    // Streams end now and then, and come again at once.
    if (event.detail.connection.attempt > 1) setLive(false);
  });

  document.addEventListener("htmx:after:request", (event) => {
    const { sourceElement: form, response } = event.detail.ctx;
    if (!(form instanceof HTMLFormElement)) return;
    if (response && response.status < 400) {
      if ("clear" in form.dataset) form.reset();
    } else {
      say(toast.dataset.failed);
    }
  });
  document.addEventListener("htmx:error", (event) => {
    if (event.target instanceof HTMLFormElement) say(toast.dataset.failed);
  });
})();
