// src/islands/search-combobox.ts
var SearchCombobox = class extends HTMLElement {
  #listening = new AbortController();
  #asking = new AbortController();
  #timer = 0;
  #active = -1;
  connectedCallback() {
    this.#listening = new AbortController();
    const { signal } = this.#listening;
    const input = this.#input;
    input.setAttribute("role", "combobox");
    input.setAttribute("aria-autocomplete", "list");
    input.setAttribute("aria-controls", this.#panel.id);
    input.setAttribute("aria-expanded", "false");
    input.addEventListener("input", () => this.#askSoon(), { signal });
    input.addEventListener("focus", () => this.#askSoon(), { signal });
    input.addEventListener("keydown", (event) => this.#onKey(event), { signal });
    this.addEventListener("focusout", (event) => {
      if (!(event.relatedTarget instanceof Node && this.contains(event.relatedTarget))) this.#close();
    }, { signal });
    document.addEventListener("keydown", (event) => this.#onShortcut(event), { signal });
  }
  disconnectedCallback() {
    this.#listening.abort();
    this.#asking.abort();
    clearTimeout(this.#timer);
  }
  get #input() {
    return this.querySelector("input[type=search]");
  }
  get #panel() {
    return this.querySelector("[data-panel]");
  }
  get #options() {
    return [...this.#panel.querySelectorAll("[role=option]")];
  }
  #askSoon() {
    clearTimeout(this.#timer);
    this.#timer = window.setTimeout(() => void this.#ask(), Number(this.dataset["wait"] ?? 150));
  }
  async #ask() {
    this.#asking.abort();
    this.#asking = new AbortController();
    const url = new URL(this.dataset["src"] ?? "", location.href);
    url.searchParams.set("q", this.#input.value.trim());
    try {
      const response = await fetch(url, { signal: this.#asking.signal, headers: { "HX-Request": "true" } });
      if (!response.ok) throw new Error(response.statusText);
      this.#show(response.status === 204 ? "" : await response.text());
    } catch (error) {
      if (!(error instanceof DOMException && error.name === "AbortError")) this.#close();
    }
  }
  #show(html) {
    this.#panel.innerHTML = html;
    this.#mark(-1);
    const isOpen = this.#panel.childElementCount > 0 && this.contains(document.activeElement);
    this.#panel.hidden = !isOpen;
    this.#input.setAttribute("aria-expanded", String(isOpen));
    const said = this.#panel.querySelector("[data-announce]")?.dataset["announce"];
    this.querySelector("[role=status]").textContent = isOpen ? said ?? "" : "";
  }
  #close() {
    this.#asking.abort();
    clearTimeout(this.#timer);
    this.#panel.hidden = true;
    this.#input.setAttribute("aria-expanded", "false");
    this.#mark(-1);
  }
  /** Arrow keys mark a suggestion and leave the typed text alone; -1 marks none. */
  #mark(at) {
    this.#active = at;
    this.#options.forEach((option, index) => option.setAttribute("aria-selected", String(index === at)));
    const active = this.#options[at];
    if (active) this.#input.setAttribute("aria-activedescendant", active.id);
    else this.#input.removeAttribute("aria-activedescendant");
  }
  #onKey(event) {
    const count = this.#panel.hidden ? 0 : this.#options.length;
    if (event.key === "Escape" && !this.#panel.hidden) {
      event.preventDefault();
      this.#close();
    } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (!count) return this.#askSoon();
      const step = event.key === "ArrowDown" ? 1 : -1;
      this.#mark((this.#active + step + 1 + count + 1) % (count + 1) - 1);
    } else if (event.key === "Enter" && this.#active >= 0) {
      event.preventDefault();
      this.#options[this.#active]?.click();
    }
  }
  /** `/` goes to the search field, unless single-key shortcuts are switched off (data-shortcuts="off" on <html>). */
  #onShortcut(event) {
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
    if (document.documentElement.dataset["shortcuts"] === "off") return;
    if (event.target instanceof Element && event.target.closest("input, textarea, select, [contenteditable], dialog")) return;
    event.preventDefault();
    this.#input.focus();
    this.#input.select();
  }
};
customElements.define("search-combobox", SearchCombobox);
