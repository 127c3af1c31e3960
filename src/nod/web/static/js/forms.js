// Small helps in forms: the browser's zone, copy buttons, switches that post, no second submit.
for (const field of document.querySelectorAll("[data-zone]")) {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (zone && [...(field.options ?? [])].some((each) => each.value === zone)) field.value = zone;
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const source = button.dataset.copy ? document.querySelector(button.dataset.copy) : button.previousElementSibling;
  await navigator.clipboard.writeText(source.dataset.text ?? source.value ?? source.textContent);
  document.dispatchEvent(new CustomEvent("nod:toast", { detail: "Copied" }));
});

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-share]");
  if (!button) return;
  const url = new URL(button.dataset.share, location.href).href;
  if (navigator.share) await navigator.share({ url, title: document.title }).catch(() => {});
  else {
    await navigator.clipboard.writeText(url);
    document.dispatchEvent(new CustomEvent("nod:toast", { detail: "Link copied. It opens for people who are signed in." }));
  }
});

// A form that is under way is not sent twice.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.dataset.sent) event.preventDefault();
  else if (!form.hasAttribute("hx-post")) {
    form.dataset.sent = "1";
    addEventListener("pageshow", () => delete form.dataset.sent, { once: true });
  }
});
