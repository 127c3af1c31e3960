// The conversation: it opens at its end and stays there while one is there; Enter sends.
const log = document.getElementById("log");
const form = document.querySelector("[data-compose]");
const NEAR_PX = 160;

if (log) {
  const page = document.scrollingElement;
  let atEnd = true;
  let anchor = null; // what one reads while older messages come in above, and where it stood
  let named = null; // the message that the address names, until one scrolls away from it
  const toEnd = () => scrollTo(0, page.scrollHeight);
  const toNamed = () => named.scrollIntoView({ block: "center" });
  history.scrollRestoration = "manual"; // the place of another day is not where one left off
  function find() {
    const at = new URLSearchParams(location.search).get("at");
    const id = location.hash.slice(1) || at;
    named = id && document.getElementById(id);
    if (named) toNamed();
    // It is older than what is shown: the server opens the conversation there.
    else if (!at && id?.startsWith("msg_")) location.replace(`?at=${id}#${id}`);
  }
  find();
  if (!named) toEnd();
  addEventListener("hashchange", find);
  for (const away of ["wheel", "touchmove", "keydown"]) addEventListener(away, () => (named = null), { passive: true });
  const isEnd = () => document.getElementById("newest") && page.scrollHeight - page.scrollTop - innerHeight < NEAR_PX;
  const look = () => (atEnd = isEnd());
  addEventListener("scroll", look, { passive: true });
  // A picture takes its room only when it is there.
  const settle = () => (named?.isConnected ? toNamed() : atEnd && toEnd());
  log.addEventListener("load", settle, true);
  document.addEventListener("htmx:beforeSwap", () => {
    const said = log.querySelector(".block > :not(.day)"); // a day may go when what is above it comes
    anchor = said && { said, top: said.getBoundingClientRect().top };
    look();
  });
  document.addEventListener("htmx:afterSwap", (event) => {
    const path = event.detail.requestConfig?.path ?? "";
    // Older messages come in above: what one reads stays where it is. Newer ones come in below.
    if (path.includes("/older")) anchor && scrollBy(0, anchor.said.getBoundingClientRect().top - anchor.top);
    else if (event.detail.target.closest?.("#newest, #log") && !path.includes("/newer")) settle();
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
  // Pictures are uploaded as they are chosen, pasted or dropped; the message then names them.
  const attached = document.getElementById("attached");
  const files = form.elements.pictures;
  const say = (detail) => document.dispatchEvent(new CustomEvent("nod:toast", { detail }));
  async function upload(file) {
    const waits = document.createElement("li");
    waits.className = "skeleton";
    attached.append(waits);
    const body = new FormData();
    body.append("pictures", file);
    const headers = { "HX-Request": "true", "HX-Target": "attached" };
    try {
      const answer = await fetch(files.dataset.upload, { method: "POST", body, headers });
      const shown = new DOMParser().parseFromString(await answer.text(), "text/html").body;
      if (answer.ok) waits.before(...shown.children);
      else say(shown.textContent.trim() || "The picture could not be sent.");
    } catch {
      say("Nod cannot be reached. The picture was not sent.");
    }
    waits.remove();
  }
  function take(chosen) {
    const pictures = [...chosen].filter((each) => each.type.startsWith("image/"));
    const room = Number(files.dataset.most) - attached.children.length;
    if (pictures.length > room) say(`A message takes at most ${files.dataset.most} pictures.`);
    pictures.slice(0, Math.max(0, room)).forEach(upload);
    text.focus();
    return pictures.length > 0;
  }
  files.addEventListener("change", () => {
    take(files.files);
    files.value = "";
  });
  text.addEventListener("paste", (event) => {
    if (event.clipboardData.files.length && take(event.clipboardData.files)) event.preventDefault();
  });
  const pane = form.closest(".chat-pane");
  const over = (event) => event.dataTransfer?.types.includes("Files");
  pane.addEventListener("dragover", (event) => {
    if (!over(event)) return;
    event.preventDefault();
    form.classList.add("over");
  });
  pane.addEventListener("dragleave", () => form.classList.remove("over"));
  pane.addEventListener("drop", (event) => {
    form.classList.remove("over");
    if (!over(event)) return;
    event.preventDefault();
    take(event.dataTransfer.files);
  });
  attached.addEventListener("click", (event) => {
    if (!event.target.closest("[data-drop-picture]")) return;
    event.target.closest("li").remove();
    text.focus();
  });
  // Before htmx hears of it: nothing is sent that is empty, or while a picture is on its way.
  document.addEventListener(
    "submit",
    (event) => {
      if (event.target !== form) return;
      const onTheWay = attached.querySelector(".skeleton");
      if (onTheWay) say("A picture is still on its way. Send again in a moment.");
      if (!onTheWay && (text.value.trim() || attached.firstElementChild)) return;
      event.preventDefault();
      event.stopPropagation();
    },
    true,
  );
  const unquote = () => {
    form.elements.reply_to_id.value = "";
    quoted.hidden = true;
  };
  form.addEventListener("htmx:afterRequest", (event) => {
    if (event.target !== form || !event.detail.successful) return;
    form.reset();
    attached.replaceChildren();
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
