// The picture strip of a product: thumbnails move the strip, and a picture opens large in a dialog. Without this script
// the strip scrolls, thumbnails are links to its pictures, and a picture is a link to its large file.

class ImageGallery extends HTMLElement {
  static observedAttributes = ["data-key"]; // another variant: the pictures were morphed, so begin at the first

  #listening = new AbortController();
  #zoom: HTMLDialogElement | null = null;
  #at = 0;

  connectedCallback(): void {
    this.#listening = new AbortController();
    const { signal } = this.#listening;
    this.addEventListener("click", (event) => this.#onClick(event), { signal });
    this.#track.addEventListener("scroll", () => this.#follow(), { signal, passive: true });
    this.#mark(0);
  }

  disconnectedCallback(): void {
    this.#listening.abort();
    this.#zoom?.remove();
    this.#zoom = null;
  }

  attributeChangedCallback(_name: string, before: string | null): void {
    if (before === null) return;
    this.#track.scrollTo({ left: 0, behavior: "auto" });
    this.#mark(0);
  }

  get #track(): HTMLElement {
    return this.querySelector("[data-track]")!;
  }

  get #slides(): HTMLAnchorElement[] {
    return [...this.querySelectorAll<HTMLAnchorElement>("[data-track] a")];
  }

  #onClick(event: MouseEvent): void {
    if (!(event.target instanceof Element) || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const link = event.target.closest<HTMLElement>("a, button");
    if (!link) return;
    const thumbs = [...this.querySelectorAll<HTMLElement>("[data-thumb]")];
    const slide = this.#slides.indexOf(link as HTMLAnchorElement);
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

  #go(to: number): void {
    const slides = this.#slides;
    const at = (to + slides.length) % slides.length;
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.#track.scrollTo({ left: slides[at]!.offsetLeft - this.#track.offsetLeft, behavior: still ? "auto" : "smooth" });
    this.#mark(at);
  }

  #follow(): void {
    const width = this.#track.clientWidth;
    if (width) this.#mark(Math.round(this.#track.scrollLeft / width));
  }

  #mark(at: number): void {
    this.#at = at;
    this.querySelectorAll("[data-thumb]").forEach((thumb, index) => {
      if (index === at) thumb.setAttribute("aria-current", "true");
      else thumb.removeAttribute("aria-current");
    });
    const position = this.querySelector("[data-position]");
    if (position) position.textContent = `${at + 1} / ${this.#slides.length}`;
  }

  /** One dialog in the page's host, outside anything that is swapped; it is filled each time it opens. */
  #openZoom(at: number): void {
    this.#zoom ??= this.#buildZoom();
    if (!this.#zoom) return;
    this.#showLarge(at);
    this.#zoom.showModal();
  }

  #buildZoom(): HTMLDialogElement | null {
    const template = this.querySelector<HTMLTemplateElement>("template[data-zoom]");
    const dialog = template?.content.firstElementChild?.cloneNode(true);
    if (!(dialog instanceof HTMLDialogElement)) return null;
    document.getElementById("dialogs")?.append(dialog);
    const { signal } = this.#listening;
    dialog.addEventListener("click", (event) => {
      const button = event.target instanceof Element ? event.target.closest<HTMLElement>("[data-step]") : null;
      if (button) this.#showLarge(this.#at + Number(button.dataset["step"]));
    }, { signal });
    dialog.addEventListener("keydown", (event) => {
      if (event.key === "ArrowLeft") this.#showLarge(this.#at - 1);
      if (event.key === "ArrowRight") this.#showLarge(this.#at + 1);
    }, { signal });
    dialog.addEventListener("close", () => this.#go(this.#at), { signal });
    return dialog;
  }

  #showLarge(to: number): void {
    const slides = this.#slides;
    this.#mark((to + slides.length) % slides.length);
    const slide = slides[this.#at]!;
    const image = this.#zoom!.querySelector("img")!;
    image.src = slide.href;
    image.alt = slide.querySelector("img")?.alt ?? "";
    const place = this.#zoom!.querySelector("[data-position]");
    if (place) place.textContent = `${this.#at + 1} / ${slides.length}`;
  }
}

customElements.define("image-gallery", ImageGallery);
