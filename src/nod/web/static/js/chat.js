// The conversation: it opens at its end and stays there while one is there; Enter sends.
const log = document.getElementById("log");
const form = document.querySelector("[data-compose]");
const NEAR_PX = 160;

if (log) {
  const page = document.scrollingElement;
  let atEnd = true;
  let height = page.scrollHeight;
  const toEnd = () => scrollTo(0, page.scrollHeight);
  const named = location.hash && document.getElementById(location.hash.slice(1));
  if (named) named.scrollIntoView({ block: "center" });
  else toEnd();
  addEventListener("scroll", () => (atEnd = page.scrollHeight - page.scrollTop - innerHeight < NEAR_PX), { passive: true });
  document.addEventListener("htmx:beforeSwap", () => (height = page.scrollHeight));
  document.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.target.closest?.("#newest, #log") && atEnd) toEnd();
    // Older messages come in above: what one reads stays where it is.
    else if (event.detail.requestConfig?.path.includes("/older")) scrollBy(0, page.scrollHeight - height);
  });
}

if (form) {
  const text = form.elements.text;
  const quoted = document.getElementById("replying");
  text.addEventListener("keydown", (event) => {
    const sends = event.key === "Enter" && !event.shiftKey && !event.isComposing && matchMedia("(hover: hover)").matches;
    if (sends) {
      event.preventDefault();
      form.requestSubmit();
    }
  });
  const unquote = () => {
    form.elements.reply_to_id.value = "";
    quoted.hidden = true;
  };
  form.addEventListener("htmx:afterRequest", (event) => {
    if (event.target !== form || !event.detail.successful) return;
    form.reset();
    unquote();
    text.focus();
    scrollTo(0, document.scrollingElement.scrollHeight);
  });
  document.addEventListener("click", (event) => {
    const quote = event.target.closest("[data-quote]");
    if (event.target.closest("[data-unquote]")) unquote();
    if (!quote) return;
    form.elements.reply_to_id.value = quote.dataset.quote;
    quoted.querySelector("span").textContent = quote.dataset.words;
    quoted.hidden = false;
    text.focus();
  });
}
