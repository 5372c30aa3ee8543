// The stream: each message is the head's strip and the view as they are now, as HTML. Loss of it is
// shown, since old values that look live mislead.

import { morph } from "./morph.js";

// The server says something every few seconds; silence for longer is loss.
const SILENCE_MS = 15000;
const RETRY_MS = 4000;

let source = null;
let timer = 0;
let lastHeard = null;
let paused = false;
let waiting = null;

const mark = () => document.getElementById("live");
const clock = (date) => date.toLocaleTimeString([], { hour12: false });

export function startLive() {
  connect();
  // A page that nobody looks at costs the gateway nothing.
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) disconnect();
    else connect();
  });
}

// The view's address has changed: its stream is another one.
export function follow(query) {
  document.body.dataset.live = `/ui/live?${query}`;
  connect();
}

// Nothing is changed under an open question: what it speaks of stays where it is.
export function pause(now) {
  paused = now;
  if (!paused && waiting !== null) show(waiting);
}

function disconnect() {
  source?.close();
  source = null;
  clearTimeout(timer);
}

function connect() {
  disconnect();
  source = new EventSource(document.body.dataset.live);
  source.addEventListener("view", (message) => {
    heard();
    const html = JSON.parse(message.data);
    if (paused) waiting = html;
    else show(html);
  });
  source.addEventListener("same", heard);
  // Streams last minutes, so that rights are looked at again.
  source.addEventListener("again", connect);
  source.onerror = () => lost();
  timer = setTimeout(lost, SILENCE_MS);
}

function heard() {
  lastHeard = new Date();
  clearTimeout(timer);
  timer = setTimeout(lost, SILENCE_MS);
  const text = `live, ${clock(lastHeard)}`;
  const live = mark();
  // Said aloud when it changes between live and lost, not every two seconds.
  live.setAttribute("aria-live", live.className === "lost" ? "polite" : "off");
  live.className = "on";
  live.textContent = text;
}

function lost() {
  const live = mark();
  if (live.className !== "lost") {
    const since = lastHeard ?? new Date();
    live.setAttribute("aria-live", "polite");
    live.className = "lost";
    live.textContent = `not live since ${clock(since)}`;
  }
  disconnect();
  timer = setTimeout(connect, RETRY_MS);
}

function show(html) {
  waiting = null;
  const page = new DOMParser().parseFromString(html, "text/html");
  for (const id of ["strip", "view"]) {
    const [from, to] = [document.getElementById(id), page.getElementById(id)];
    if (from && to) morph(from, to);
  }
  document.dispatchEvent(new CustomEvent("shown"));
}
