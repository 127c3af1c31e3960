// Nod's service worker. Pages come from the server; without it, as they were last seen, and a page
// never seen gives /offline. What is kept goes when somebody signs out (Clear-Site-Data).
const PAGES = "pages";
const MOST_PAGES = 40;

self.addEventListener("install", (event) => {
  event.waitUntil(
    caches.open(VERSION).then((cache) => cache.addAll(KEPT)).then(() => self.skipWaiting()),
  );
});

self.addEventListener("activate", (event) => {
  event.waitUntil(
    caches.keys()
      .then((names) => Promise.all(names.filter((each) => each !== VERSION && each !== PAGES).map((each) => caches.delete(each))))
      .then(() => self.clients.claim()),
  );
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.method !== "GET" || new URL(request.url).origin !== location.origin) return;
  if (request.mode === "navigate") event.respondWith(page(request));
  else if (request.url.includes("/static/")) event.respondWith(asset(request));
});

async function asset(request) {
  return (await caches.match(request)) ?? fetch(request);
}

async function page(request) {
  try {
    const answer = await fetch(request);
    if (answer.ok && !answer.redirected) keep(request, answer.clone());
    return answer;
  } catch {
    const cache = await caches.open(PAGES);
    return (await cache.match(request)) ?? (await caches.match("/offline"));
  }
}

async function keep(request, answer) {
  const cache = await caches.open(PAGES);
  await cache.put(request, answer);
  const known = await cache.keys();
  await Promise.all(known.slice(0, Math.max(0, known.length - MOST_PAGES)).map((each) => cache.delete(each)));
}

self.addEventListener("push", (event) => {
  const notice = event.data?.json() ?? {};
  event.waitUntil(
    self.registration.showNotification(notice.title ?? "Nod", {
      body: notice.text ?? "",
      tag: notice.tag,
      renotify: Boolean(notice.tag),
      timestamp: Date.parse(notice.at) || Date.now(),
      icon: KEPT.find((each) => each.endsWith("icon-192.png")),
      data: notice,
      actions: (notice.actions ?? []).map(({ action, title }) => ({ action, title })),
    }),
  );
});

// A button answers by itself (POST, single use); the notice opens the bubble or card it is about.
self.addEventListener("notificationclick", (event) => {
  const notice = event.notification.data ?? {};
  event.notification.close();
  const chosen = (notice.actions ?? []).find((each) => each.action === event.action);
  event.waitUntil(chosen ? act(chosen.url, notice.path) : show(notice.path ?? "/"));
});

async function act(url, path) {
  const answer = await fetch(url, { method: "POST" }).catch(() => null);
  if (!answer?.ok) await show(path ?? "/");
}

// A window that shows it already, else the one that was looked at last, else a new one.
async function show(path) {
  const { href } = new URL(path, location.href);
  const open = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
  const there = open.find((each) => each.url === href);
  if (there) return there.focus();
  const other = open.find((each) => each.visibilityState === "visible") ?? open[0];
  const went = await other?.navigate(href).catch(() => null);
  return went ? went.focus() : self.clients.openWindow(href);
}

// The push service gives this browser another address: the server is told, as when it was turned on.
self.addEventListener("pushsubscriptionchange", (event) => {
  event.waitUntil(subscribedAnew(event));
});

async function subscribedAnew({ oldSubscription, newSubscription }) {
  const found = newSubscription ?? (oldSubscription && (await self.registration.pushManager.subscribe(oldSubscription.options)));
  if (!found) return;
  const { endpoint, keys } = found.toJSON();
  await fetch("/settings/notifications/push", { method: "POST", body: new URLSearchParams({ endpoint, ...keys }) });
}
