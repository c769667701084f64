// Keeps the live part of a page fresh. Without it the page reloads itself now and then.
"use strict";

const EVERY_MS = 2000;
const FOCUSABLE = "a[href], summary, [tabindex]";
const region = document.querySelector("[data-live]");
const status = document.getElementById("live");
let etag = "";
let timer = 0;

function say(text) {
  if (status.textContent !== text) status.textContent = text;
}

function swap(html) {
  const fresh = new DOMParser().parseFromString(html, "text/html").body.firstElementChild;
  const shown = region.firstElementChild;
  // Who is signed in, or whether an exercise is shown, concerns the rest of the page too.
  for (const name of ["viewer", "exercise"]) {
    if (fresh.dataset[name] !== shown.dataset[name]) return location.reload();
  }
  const open = [...shown.querySelectorAll("details")].map((one) => one.open);
  const focus = [...shown.querySelectorAll(FOCUSABLE)].indexOf(document.activeElement);
  const href = document.activeElement.getAttribute("href");
  region.replaceChildren(fresh);
  fresh.querySelectorAll("details").forEach((one, at) => { one.open = open[at] || false; });
  if (focus >= 0) {
    const same = href && fresh.querySelector(`a[href="${CSS.escape(href)}"]`);
    (same || fresh.querySelectorAll(FOCUSABLE)[focus])?.focus({ preventScroll: true });
  }
}

async function refresh() {
  clearTimeout(timer);
  if (document.hidden) return;
  try {
    const headers = etag ? { "If-None-Match": etag } : {};
    const answer = await fetch(region.dataset.live, { headers, cache: "no-store" });
    if (answer.status === 404) return location.reload();
    if (answer.ok) {
      swap(await answer.text());
      etag = answer.headers.get("ETag") || "";
    } else if (answer.status !== 304) {
      throw new Error(String(answer.status));
    }
    say("Updating by itself.");
  } catch {
    say("The hub does not answer. Trying again.");
  }
  timer = setTimeout(refresh, EVERY_MS);
}

document.addEventListener("visibilitychange", refresh);
timer = setTimeout(refresh, EVERY_MS);
