// What pages do better with JavaScript. All of them work without it.
"use strict";

(() => {
  const search = document.getElementById("search");
  document.addEventListener("keydown", (event) => {
    const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement.tagName);
    if (event.key === "/" && !typing && search && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      search.focus();
      search.select();
    }
  });

  // Choosing a value in a filter shows the result at once.
  for (const form of document.querySelectorAll("form.filters, .filters form")) {
    for (const field of form.querySelectorAll("select, input[type=checkbox]")) {
      field.addEventListener("change", () => form.requestSubmit());
    }
    // Empty fields do not belong into an address that people share.
    form.addEventListener("submit", () => {
      for (const field of form.querySelectorAll("input, select")) {
        if (field.value === "") field.disabled = true;
      }
    });
  }

  // Parts that take a moment, from pages of their own.
  for (const place of document.querySelectorAll("[data-load]")) {
    fetch(place.dataset.load).then((answer) => answer.text()).then((text) => {
      const part = new DOMParser().parseFromString(text, "text/html").getElementById("part");
      if (part) place.replaceChildren(...part.childNodes);
    }).catch(() => {});
  }

  // Hours that are still being counted.
  const waiting = document.querySelector("[data-reload]");
  if (waiting) setTimeout(() => location.reload(), 1000 * Number(waiting.dataset.reload));

  // The state of servers, sent by the server again and again.
  const live = document.getElementById("live");
  if (live && window.EventSource) {
    const state = document.getElementById("live-state");
    const events = new EventSource(live.dataset.events);
    events.onmessage = (event) => {
      // Do not take away what somebody reads with the keyboard.
      if (live.contains(document.activeElement) && document.activeElement !== document.body) return;
      const scrolled = [...live.querySelectorAll(".scroll")].map((each) => each.scrollLeft);
      const fragment = new DOMParser().parseFromString(event.data, "text/html");
      live.replaceChildren(...fragment.body.childNodes);
      live.querySelectorAll(".scroll").forEach((each, number) => { each.scrollLeft = scrolled[number] || 0; });
      state.textContent = "The page updates by itself.";
    };
    events.onerror = () => { state.textContent = "The connection is lost; trying again."; };
    addEventListener("pagehide", () => events.close());
  }
})();
