// The editor of a task: an example fills the field, Enter in it saves, and what the server makes of
// the words marks it.
const when = document.getElementById("when");

if (when?.form) {
  document.addEventListener("click", (event) => {
    const example = event.target.closest("[data-fill]");
    if (!example) return;
    when.value = example.textContent;
    when.focus();
    when.dispatchEvent(new Event("input", { bubbles: true }));
  });
  when.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.isComposing) return;
    event.preventDefault();
    when.form.requestSubmit();
  });
  document.addEventListener("htmx:afterSwap", ({ detail }) => {
    if (detail.target.id !== "understood") return;
    if (detail.target.querySelector("[data-amiss='when']")) when.setAttribute("aria-invalid", "true");
    else when.removeAttribute("aria-invalid");
  });
}
