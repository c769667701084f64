// Keeps the list of entries fresh. Without it the page reloads itself now and then.
"use strict";

const EVERY_MS = 2000;
const list = document.getElementById("latest");
const status = document.getElementById("live");
let etag = "";
let timer = 0;

function say(text) {
  if (status.textContent !== text) status.textContent = text;
}

function swap(html) {
  const fresh = new DOMParser().parseFromString(html, "text/html").querySelector(".list");
  const shown = list.querySelector(".list");
  if (!fresh) return;
  const same = (name) => fresh.dataset[name] === shown.dataset[name];
  if (!same("viewer") || !same("exercise")) {
    location.reload();
    return;
  }
  const opened = list.querySelector("details[open]") !== null;
  const focused = list.contains(document.activeElement) && document.activeElement.getAttribute("href");
  list.replaceChildren(fresh);
  if (opened) list.querySelector("details")?.setAttribute("open", "");
  if (focused) list.querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
}

async function refresh() {
  clearTimeout(timer);
  if (document.hidden) return;
  try {
    const headers = etag ? { "If-None-Match": etag } : {};
    const answer = await fetch("/fragments/latest" + location.search, { headers, cache: "no-store" });
    if (answer.ok) {
      etag = answer.headers.get("ETag") || "";
      swap(await answer.text());
    }
    if (!answer.ok && answer.status !== 304) throw new Error(String(answer.status));
    say("Updating by itself.");
  } catch {
    say("The hub does not answer. Trying again.");
  }
  timer = setTimeout(refresh, EVERY_MS);
}

document.addEventListener("visibilitychange", refresh);
timer = setTimeout(refresh, EVERY_MS);
