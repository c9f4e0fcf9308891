// src/islands/cart-drawer.ts
var CartDrawer = class extends HTMLElement {
  #listening = new AbortController();
  connectedCallback() {
    this.#listening = new AbortController();
    const { signal } = this.#listening;
    document.addEventListener("click", (event) => this.#onClick(event), { signal });
    document.addEventListener("cart:added", (event) => this.#onAdded(event), { signal });
  }
  disconnectedCallback() {
    this.#listening.abort();
  }
  get #dialog() {
    return this.querySelector("dialog");
  }
  #onClick(event) {
    if (!(event.target instanceof Element) || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const link = event.target.closest("a[data-cart]");
    if (!link || !window.htmx) return;
    event.preventDefault();
    this.#open();
    const body = this.querySelector("[data-body]");
    body.setAttribute("aria-busy", "true");
    void window.htmx.ajax("GET", this.dataset["src"] ?? link.href, { target: body, swap: "innerMorph" }).finally(() => body.removeAttribute("aria-busy"));
  }
  #onAdded({ detail }) {
    this.#open();
    this.querySelector("[role=status]").textContent = detail.message ?? "";
  }
  #open() {
    if (!this.#dialog.open) this.#dialog.showModal();
  }
};
customElements.define("cart-drawer", CartDrawer);
