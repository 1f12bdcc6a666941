// Freezes the live tail: shows a copy of its rows while the rows themselves go on out of sight, and says how many came since.
"use strict";
(() => {
  const button = document.getElementById("tail-freeze");
  const rows = document.getElementById("tail-rows");
  const told = document.getElementById("tail-told");
  const frozen = document.getElementById("tail-frozen");
  let copy = null;
  let came = 0;
  let seen = 0;

  const count = () => Number(told.querySelector("data")?.value ?? 0);
  const say = () => { frozen.textContent = copy ? frozen.dataset.came + came : ""; };

  new MutationObserver(() => {
    const now = count();
    // A stream that began anew counts from nought.
    came += now >= seen ? now - seen : now;
    seen = now;
    say();
  }).observe(told, { subtree: true, childList: true, characterData: true, attributes: true });

  button.addEventListener("click", () => {
    if (copy) {
      copy.remove();
      copy = null;
    } else {
      copy = rows.cloneNode(true);
      copy.id = "tail-still";
      copy.querySelectorAll("[id]").forEach((part) => part.removeAttribute("id"));
      rows.after(copy);
      came = 0;
      seen = count();
    }
    rows.hidden = copy !== null;
    button.setAttribute("aria-pressed", String(copy !== null));
    button.textContent = copy ? button.dataset.go : button.dataset.freeze;
    say();
  });
  button.hidden = false;
})();
