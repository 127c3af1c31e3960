// Live pages. The server tells which things have changed; each element that shows one of them
// names it in data-live and is asked for anew (hx-get, hx-trigger="live"). So what a live update
// shows and what a reload shows is the same, also after the connection was lost: then the server
// says "resync", and everything live on the page is asked for.

// What one has typed or chosen, and what one has unfolded, stays as it is when its element is asked
// for anew.
const isTouched = (node) =>
  node.tagName === "SELECT"
    ? [...node.options].some((each) => each.selected !== each.defaultSelected)
    : ["INPUT", "TEXTAREA"].includes(node.tagName) && (node.value !== node.defaultValue || node.checked !== node.defaultChecked);
Idiomorph.defaults.ignoreActiveValue = true;
Idiomorph.defaults.callbacks.beforeNodeMorphed = (node) => !isTouched(node);
Idiomorph.defaults.callbacks.beforeAttributeUpdated = (name, node) => !(name === "open" && node.tagName === "DETAILS");

const HIDDEN_MS = 20_000; // a page in the background lets go of its stream after that
const SILENT_MS = 45_000; // the server says something every 20 seconds; after that the line is dead
let since = document.querySelector('meta[name="nod-now"]')?.content ?? "0";
let stream = null;
let hidden = null;
let silent = null;

function refresh(topics) {
  const all = topics.includes("resync");
  const isDue = (element) => all || element.dataset.live.split(" ").some((each) => topics.includes(each));
  const due = [...document.querySelectorAll("[data-live]")].filter(isDue);
  // The outermost brings what is inside it.
  for (const element of due) {
    if (!due.some((each) => each !== element && each.contains(element))) htmx.trigger(element, "live");
  }
}

function listen() {
  clearTimeout(silent);
  silent = setTimeout(() => {
    document.dispatchEvent(new CustomEvent("nod:offline"));
    close();
    open();
  }, SILENT_MS);
}

function open() {
  if (stream || !document.body.hasAttribute("data-signed-in")) return;
  stream = new EventSource(`/live?since=${since}`);
  listen();
  stream.addEventListener("ping", listen);
  stream.onmessage = (message) => {
    listen();
    since = message.lastEventId || since;
    if (message.data) refresh(message.data.split(" "));
  };
  stream.onopen = () => document.dispatchEvent(new CustomEvent("nod:online"));
  stream.onerror = () => {
    document.dispatchEvent(new CustomEvent("nod:offline"));
    // The browser tries again by itself, unless the server has said no.
    if (stream.readyState === EventSource.CLOSED) {
      close();
      setTimeout(open, 3_000);
    }
  };
}

function close() {
  clearTimeout(silent);
  stream?.close();
  stream = null;
}

document.addEventListener("visibilitychange", () => {
  clearTimeout(hidden);
  if (document.hidden) hidden = setTimeout(close, HIDDEN_MS);
  else open();
});
addEventListener("pagehide", close);
addEventListener("pageshow", open);
open();
