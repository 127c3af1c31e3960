// A sheet has an address: opening one adds to the history, Back closes it, reload shows it again.
// A link that opens one says so with data-sheet; without script it leads to the same page.
const sheet = document.getElementById("sheet");
let opener = null;

async function show(address) {
  await htmx.ajax("GET", address, { target: "#sheet", swap: "innerHTML" });
  sheet.querySelector(".panel")?.focus();
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-sheet]");
  if (link && !event.metaKey && !event.ctrlKey && !event.shiftKey && event.button === 0) {
    event.preventDefault();
    const within = link.closest("#sheet");
    if (!within) opener = link;
    const address = link.getAttribute("href"); // of a link in a picture, href is an object
    history[within ? "replaceState" : "pushState"]({ sheet: address }, "", address);
    show(address);
  } else if (event.target.closest("[data-close-sheet]")) {
    event.preventDefault();
    dismiss(event.target.closest("[data-close-sheet]").dataset.closeSheet);
  }
});

function dismiss(address) {
  if (history.state?.sheet) history.back();
  else {
    // The page was opened at the sheet's own address.
    history.replaceState(null, "", address || "/");
    empty();
  }
}

function empty() {
  sheet.replaceChildren();
  opener?.focus();
  opener = null;
}

addEventListener("popstate", (event) => {
  if (event.state?.sheet) show(event.state.sheet);
  else if (sheet.firstElementChild) empty();
});

document.addEventListener("keydown", (event) => {
  if (!sheet?.firstElementChild) return;
  if (event.key === "Escape") dismiss(sheet.querySelector("[data-close-sheet]")?.dataset.closeSheet);
  if (event.key === "Tab" && matchMedia("(max-width: 899px)").matches) keepInside(event);
});

function keepInside(event) {
  const stops = [...sheet.querySelectorAll("a[href], button:not([disabled]), input, textarea, select, summary, [tabindex='0']")].filter((each) => each.offsetParent);
  if (!stops.length) return;
  const [first, last] = [stops[0], stops.at(-1)];
  const [from, to] = event.shiftKey ? [first, last] : [last, first];
  if (document.activeElement !== from && sheet.contains(document.activeElement)) return;
  event.preventDefault();
  to.focus();
}
