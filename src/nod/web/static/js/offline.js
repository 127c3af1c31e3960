// The banner that says the page may be old. It comes when the stream has been gone for a while.
const AFTER_MS = 4_000;
const banner = document.getElementById("offline");
let timer = null;

function lost() {
  timer ??= setTimeout(() => banner && (banner.hidden = false), navigator.onLine ? AFTER_MS : 0);
}
function back() {
  clearTimeout(timer);
  timer = null;
  if (banner) banner.hidden = true;
}
document.addEventListener("nod:offline", lost);
document.addEventListener("nod:online", back);
addEventListener("offline", lost);
if (!navigator.onLine) lost();
