// What was done, said for a few seconds. The server sends one as #toasts' content or by the
// header HX-Trigger: {"nod:toast": "…"}.
const SHOWN_MS = 6_000;
const place = document.getElementById("toasts");

function leaveLater(toast) {
  setTimeout(() => toast.remove(), SHOWN_MS);
}

function say(event) {
  const text = typeof event.detail === "string" ? event.detail : event.detail?.value;
  if (!text) return;
  const toast = document.createElement("div");
  toast.className = "toast arrives";
  toast.textContent = text;
  place.append(toast);
  leaveLater(toast);
}
document.addEventListener("nod:toast", say);

new MutationObserver((changes) => {
  for (const { addedNodes } of changes) {
    for (const node of addedNodes) if (node.dataset && "toast" in node.dataset) leaveLater(node);
  }
}).observe(place, { childList: true });

document.addEventListener("htmx:sendError", () => {
  document.dispatchEvent(new CustomEvent("nod:toast", { detail: "Nod cannot be reached. Nothing was changed." }));
});
