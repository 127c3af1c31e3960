// Notifications in this browser: turned on and off, and why they are not possible. The words for
// each state stand in the page; what is true here is shown.
const place = document.querySelector("[data-push]");
const worker = navigator.serviceWorker;

if (place?.dataset.push) {
  const failed = place.querySelector("[data-push-error]");
  const doing = (what) => () => {
    failed.hidden = true;
    what().catch((error) => {
      failed.textContent = `That did not work: ${error.message}`;
      failed.hidden = false;
    }).finally(show);
  };
  place.querySelectorAll("[data-push-on]").forEach((each) => each.addEventListener("click", doing(turnOn)));
  place.querySelector("[data-push-off]").addEventListener("click", async () => (await row()).querySelector("[data-removes]").requestSubmit());
  document.addEventListener("submit", removing);
  document.addEventListener("htmx:afterSettle", show);
  show();
}

async function show() {
  const now = await state();
  for (const each of place.querySelectorAll("[data-state]")) each.hidden = each.dataset.state !== now;
  const mine = await row();
  for (const each of document.querySelectorAll("[data-this]")) each.hidden = !mine?.contains(each);
}

async function state() {
  if (!isSecureContext) return "insecure";
  if (!worker || !("PushManager" in window) || !("Notification" in window)) return isApple() ? "ios" : "unsupported";
  if (Notification.permission === "denied") return "blocked";
  const mine = await row();
  if (mine) return "off" in mine.dataset ? "resting" : "on";
  return Notification.permission === "granted" ? "allowed" : "off";
}

function isApple() {
  return /iPhone|iPad/.test(navigator.userAgent) || (navigator.platform === "MacIntel" && navigator.maxTouchPoints > 1);
}

async function subscription() {
  return (await worker?.getRegistration("/"))?.pushManager?.getSubscription();
}

// The line of this browser in the list, found by a digest of where its push service is.
async function row() {
  const found = await subscription();
  if (!found) return null;
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(found.endpoint));
  const hex = [...new Uint8Array(digest)].map((each) => each.toString(16).padStart(2, "0")).join("");
  return document.querySelector(`[data-place="${hex}"]`);
}

async function turnOn() {
  if ((await Notification.requestPermission()) !== "granted") return;
  const { pushManager } = await worker.ready;
  const options = { userVisibleOnly: true, applicationServerKey: place.dataset.push };
  // One that was made with another key of the server's is of no use any more.
  const made = await pushManager.subscribe(options).catch(async (error) => {
    if (error.name !== "InvalidStateError") throw error;
    await (await pushManager.getSubscription()).unsubscribe();
    return pushManager.subscribe(options);
  });
  const { endpoint, keys } = made.toJSON();
  const form = place.querySelector("[data-push-form]");
  for (const [name, value] of Object.entries({ endpoint, ...keys })) form.elements[name].value = value;
  form.requestSubmit();
}

// Whoever removes this browser from the list ends its subscription, too.
async function removing(event) {
  const form = event.target;
  if (!form.matches("[data-removes]") || !form.closest("[data-place]")) return;
  event.preventDefault();
  if (form.closest("[data-place]") === (await row())) await (await subscription()).unsubscribe();
  form.submit();
}
