// A sheet has an address: opening one adds to the history, Back closes it, reload shows it again.
// A link that opens one says so with data-sheet; without script it leads to the same page.
const sheet = document.getElementById("sheet");
// Of a page that was opened at its sheet's own address: the address of what lies under the sheet.
const under = sheet?.querySelector("[data-close-sheet]")?.dataset.closeSheet;
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
    const alone = Boolean(within && (history.state?.alone ?? !history.state?.sheet)); // nothing to go back to
    history[within ? "replaceState" : "pushState"]({ sheet: address, alone }, "", address);
    show(address);
  } else if (event.target.closest("[data-close-sheet]")) {
    event.preventDefault();
    dismiss();
  }
});

function dismiss() {
  if (history.state?.sheet && !history.state.alone) history.back();
  else {
    history.replaceState(null, "", under ?? "/");
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
  else if (under && location.pathname + location.search !== under) location.reload(); // another page was there
  else if (sheet.firstElementChild) empty();
});

document.addEventListener("keydown", (event) => {
  if (!sheet?.firstElementChild) return;
  if (event.key === "Escape") dismiss();
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
