// src/islands/copy-button.ts
var CopyButton = class extends HTMLElement {
  #listening = new AbortController();
  #timer = 0;
  connectedCallback() {
    this.#listening = new AbortController();
    this.addEventListener("click", () => void this.#copy(), { signal: this.#listening.signal });
  }
  disconnectedCallback() {
    this.#listening.abort();
    clearTimeout(this.#timer);
  }
  async #copy() {
    const text = this.dataset["text"] ?? "";
    const done = await copied(text);
    const status = this.querySelector("[role=status]");
    status.textContent = (done ? this.dataset["done"] : this.dataset["failed"]) ?? "";
    this.toggleAttribute("data-copied", done);
    clearTimeout(this.#timer);
    this.#timer = window.setTimeout(() => {
      status.textContent = "";
      this.removeAttribute("data-copied");
    }, 4e3);
  }
};
async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copiedTheOldWay(text);
  }
}
function copiedTheOldWay(text) {
  const field = document.createElement("textarea");
  field.value = text;
  field.className = "visually-hidden";
  const before = document.activeElement;
  (before?.closest("dialog") ?? document.body).append(field);
  field.select();
  const done = document.execCommand("copy");
  field.remove();
  if (before instanceof HTMLElement) before.focus();
  return done;
}
customElements.define("copy-button", CopyButton);
