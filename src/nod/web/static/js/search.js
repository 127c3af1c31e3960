// Searching as one types: the address says what is shown, so that Back and reload show it again.
const form = document.querySelector("[data-search]");

form?.addEventListener("htmx:afterRequest", (event) => {
  if (event.detail.successful) history.replaceState(null, "", `?${new URLSearchParams(new FormData(form))}`);
});
