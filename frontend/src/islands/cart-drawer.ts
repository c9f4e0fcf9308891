// The cart beside the page. The link to the cart page opens it and fetches its contents; the server's `cart:added`
// (an HX-Trigger of the answer to "add to cart") opens it too and says so aloud.
import "../htmx";

class CartDrawer extends HTMLElement {
  #listening = new AbortController();

  connectedCallback(): void {
    this.#listening = new AbortController();
    const { signal } = this.#listening;
    document.addEventListener("click", (event) => this.#onClick(event), { signal });
    document.addEventListener("cart:added", (event) => this.#onAdded(event as CustomEvent<{ message?: string }>), { signal });
  }

  disconnectedCallback(): void {
    this.#listening.abort();
  }

  get #dialog(): HTMLDialogElement {
    return this.querySelector("dialog")!;
  }

  #onClick(event: MouseEvent): void {
    if (!(event.target instanceof Element) || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const link = event.target.closest<HTMLAnchorElement>("a[data-cart]");
    if (!link || !window.htmx) return;
    event.preventDefault();
    this.#open();
    const body = this.querySelector("[data-body]")!;
    body.setAttribute("aria-busy", "true");
    void window.htmx
      .ajax("GET", this.dataset["src"] ?? link.href, { target: body, swap: "innerMorph" })
      .finally(() => body.removeAttribute("aria-busy"));
  }

  #onAdded({ detail }: CustomEvent<{ message?: string }>): void {
    this.#open();
    this.querySelector("[role=status]")!.textContent = detail.message ?? "";
  }

  #open(): void {
    if (!this.#dialog.open) this.#dialog.showModal();
  }
}

customElements.define("cart-drawer", CartDrawer);
