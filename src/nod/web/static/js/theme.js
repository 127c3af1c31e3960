// The theme that is chosen shows at once; the form stores it meanwhile.
const PAPER = { light: "#faf9f7", dark: "#151412" };

document.addEventListener("change", (event) => {
  const form = event.target.closest("[data-themes]");
  if (!form) return;
  const theme = event.target.value;
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  for (const bar of document.querySelectorAll('meta[name="theme-color"]')) {
    bar.content = PAPER[theme] ?? PAPER[bar.media.includes("dark") ? "dark" : "light"];
  }
});
