// Copies a value. The value is on the page as text, so whoever has no script can still select it.

class CopyButton extends HTMLElement {
  #listening = new AbortController();
  #timer = 0;

  connectedCallback(): void {
    this.#listening = new AbortController();
    this.addEventListener("click", () => void this.#copy(), { signal: this.#listening.signal });
  }

  disconnectedCallback(): void {
    this.#listening.abort();
    clearTimeout(this.#timer);
  }

  async #copy(): Promise<void> {
    const text = this.dataset["text"] ?? "";
    const done = await copied(text);
    const status = this.querySelector("[role=status]")!;
    status.textContent = (done ? this.dataset["done"] : this.dataset["failed"]) ?? "";
    this.toggleAttribute("data-copied", done);
    clearTimeout(this.#timer);
    this.#timer = window.setTimeout(() => {
      status.textContent = "";
      this.removeAttribute("data-copied");
    }, 4000);
  }
}

async function copied(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copiedTheOldWay(text); // browsers inside chat applications often have no clipboard of their own
  }
}

function copiedTheOldWay(text: string): boolean {
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
