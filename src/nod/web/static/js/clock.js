// Times that go on while one looks: <time data-countdown datetime="…"> counts down to it, and what
// holds only until a time (data-until) goes away by itself.
const UNITS = [["d", 86_400], ["h", 3_600], ["min", 60], ["s", 1]];

function words(seconds) {
  let left = Math.max(0, Math.floor(seconds));
  const from = Math.max(0, UNITS.findIndex(([, size]) => left >= size));
  const parts = [];
  for (const [unit, size] of UNITS.slice(left ? from : 3, (left ? from : 3) + 2)) {
    const count = Math.floor(left / size);
    left -= count * size;
    if (count || !parts.length) parts.push(`${count} ${unit}`);
  }
  return parts.join(" ");
}

function tick() {
  for (const time of document.querySelectorAll("time[data-countdown]")) {
    time.textContent = words((Date.parse(time.dateTime) - Date.now()) / 1000);
  }
  for (const each of document.querySelectorAll("[data-until]")) {
    each.hidden = Date.parse(each.dataset.until) <= Date.now();
  }
}
setInterval(tick, 1_000);
document.addEventListener("htmx:afterSwap", tick);
tick();
