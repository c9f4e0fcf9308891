// src/islands/quantity-stepper.ts
var QuantityStepper = class extends HTMLElement {
  #listening = new AbortController();
  connectedCallback() {
    this.#listening = new AbortController();
    const { signal } = this.#listening;
    this.addEventListener("click", (event) => {
      const button = event.target instanceof Element ? event.target.closest("[data-step]") : null;
      if (button) this.#step(Number(button.dataset["step"]));
    }, { signal });
    this.addEventListener("change", () => this.#showLimits(), { signal });
    this.#showLimits();
  }
  disconnectedCallback() {
    this.#listening.abort();
  }
  get #input() {
    return this.querySelector("input");
  }
  get #least() {
    return this.#input.min ? Number(this.#input.min) : 1;
  }
  get #most() {
    return this.#input.max ? Number(this.#input.max) : Infinity;
  }
  #step(by) {
    const input = this.#input;
    const now = Number.parseInt(input.value, 10);
    const next = Math.min(this.#most, Math.max(this.#least, (Number.isNaN(now) ? this.#least : now) + by));
    if (String(next) === input.value) return;
    input.value = String(next);
    input.dispatchEvent(new Event("input", { bubbles: true }));
    input.dispatchEvent(new Event("change", { bubbles: true }));
  }
  /** A button at its limit keeps the focus and says that it does nothing, instead of being disabled under the finger. */
  #showLimits() {
    const value = Number(this.#input.value);
    for (const button of this.querySelectorAll("[data-step]")) {
      const atLimit = Number(button.dataset["step"]) < 0 ? value <= this.#least : value >= this.#most;
      button.setAttribute("aria-disabled", String(atLimit));
    }
  }
};
customElements.define("quantity-stepper", QuantityStepper);
