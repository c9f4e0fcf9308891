// src/islands/image-gallery.ts
var ImageGallery = class extends HTMLElement {
  static observedAttributes = ["data-key"];
  // another variant: the pictures were morphed, so begin at the first
  #listening = new AbortController();
  #zoom = null;
  #at = 0;
  connectedCallback() {
    this.#listening = new AbortController();
    const { signal } = this.#listening;
    this.addEventListener("click", (event) => this.#onClick(event), { signal });
    this.#track.addEventListener("scroll", () => this.#follow(), { signal, passive: true });
    this.#mark(0);
  }
  disconnectedCallback() {
    this.#listening.abort();
    this.#zoom?.remove();
    this.#zoom = null;
  }
  attributeChangedCallback(_name, before) {
    if (before === null) return;
    this.#track.scrollTo({ left: 0, behavior: "auto" });
    this.#mark(0);
  }
  get #track() {
    return this.querySelector("[data-track]");
  }
  get #slides() {
    return [...this.querySelectorAll("[data-track] a")];
  }
  #onClick(event) {
    if (!(event.target instanceof Element) || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const link = event.target.closest("a, button");
    if (!link) return;
    const thumbs = [...this.querySelectorAll("[data-thumb]")];
    const slide = this.#slides.indexOf(link);
    if (slide >= 0) {
      event.preventDefault();
      this.#openZoom(slide);
    } else if (thumbs.includes(link)) {
      event.preventDefault();
      this.#go(thumbs.indexOf(link));
    } else if (link.dataset["step"]) {
      this.#go(this.#at + Number(link.dataset["step"]));
    }
  }
  #go(to) {
    const slides = this.#slides;
    const at = (to + slides.length) % slides.length;
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.#track.scrollTo({ left: slides[at].offsetLeft - this.#track.offsetLeft, behavior: still ? "auto" : "smooth" });
    this.#mark(at);
  }
  #follow() {
    const width = this.#track.clientWidth;
    if (width) this.#mark(Math.round(this.#track.scrollLeft / width));
  }
  #mark(at) {
    this.#at = at;
    this.querySelectorAll("[data-thumb]").forEach((thumb, index) => {
      if (index === at) thumb.setAttribute("aria-current", "true");
      else thumb.removeAttribute("aria-current");
    });
    const position = this.querySelector("[data-position]");
    if (position) position.textContent = `${at + 1} / ${this.#slides.length}`;
  }
  /** One dialog in the page's host, outside anything that is swapped; it is filled each time it opens. */
  #openZoom(at) {
    this.#zoom ??= this.#buildZoom();
    if (!this.#zoom) return;
    this.#showLarge(at);
    this.#zoom.showModal();
  }
  #buildZoom() {
    const template = this.querySelector("template[data-zoom]");
    const dialog = template?.content.firstElementChild?.cloneNode(true);
    if (!(dialog instanceof HTMLDialogElement)) return null;
    document.getElementById("dialogs")?.append(dialog);
    const { signal } = this.#listening;
    dialog.addEventListener("click", (event) => {
      const button = event.target instanceof Element ? event.target.closest("[data-step]") : null;
      if (button) this.#showLarge(this.#at + Number(button.dataset["step"]));
    }, { signal });
    dialog.addEventListener("keydown", (event) => {
      if (event.key === "ArrowLeft") this.#showLarge(this.#at - 1);
      if (event.key === "ArrowRight") this.#showLarge(this.#at + 1);
    }, { signal });
    dialog.addEventListener("close", () => this.#go(this.#at), { signal });
    return dialog;
  }
  #showLarge(to) {
    const slides = this.#slides;
    this.#mark((to + slides.length) % slides.length);
    const slide = slides[this.#at];
    const image = this.#zoom.querySelector("img");
    image.src = slide.href;
    image.alt = slide.querySelector("img")?.alt ?? "";
    const place = this.#zoom.querySelector("[data-position]");
    if (place) place.textContent = `${this.#at + 1} / ${slides.length}`;
  }
};
customElements.define("image-gallery", ImageGallery);
