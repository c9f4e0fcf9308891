// src/fold.ts
function fold(text) {
  return text.normalize("NFD").replace(new RegExp("\\p{Mn}", "gu"), "").toLowerCase().replaceAll("đ", "d").replace(/[^\p{L}\p{N}]+/gu, " ").trim();
}

// src/islands/filter-sheet.ts
var WIDE = "(min-width: 67.5rem)";
var FilterSheet = class extends HTMLElement {
  #listening = new AbortController();
  #counting = new AbortController();
  #sheet = null;
  #timer = 0;
  connectedCallback() {
    this.#listening = new AbortController();
    const { signal } = this.#listening;
    document.addEventListener("click", (event) => this.#onOpener(event), { signal });
    this.addEventListener("change", (event) => this.#onChange(event), { signal });
    this.addEventListener("input", searchValues, { signal });
    matchMedia(WIDE).addEventListener("change", () => this.#sheet?.close(), { signal });
  }
  disconnectedCallback() {
    this.#listening.abort();
    this.#counting.abort();
    clearTimeout(this.#timer);
    this.#sheet?.remove();
    this.#sheet = null;
  }
  get #form() {
    return (this.#sheet ?? this).querySelector("form.filters");
  }
  #onChange(event) {
    if (!isSearch(event.target) && matchMedia(WIDE).matches) this.#form?.requestSubmit();
  }
  #onOpener(event) {
    const link = event.target instanceof Element ? event.target.closest("a[data-filters]") : null;
    if (!link || link.hash !== `#${this.id}` || matchMedia(WIDE).matches) return;
    event.preventDefault();
    this.#open();
  }
  /** The form itself moves, so ticks are never copied; the sheet stands outside anything that is swapped. */
  #open() {
    const form = this.#form;
    const template = this.querySelector("template[data-sheet]");
    const sheet = template?.content.firstElementChild?.cloneNode(true);
    if (!form || !(sheet instanceof HTMLDialogElement)) return;
    const { signal } = this.#listening;
    this.#sheet = sheet;
    sheet.querySelector("[data-body]").append(form);
    sheet.addEventListener("change", (event) => {
      if (!isSearch(event.target)) this.#countSoon();
    }, { signal });
    sheet.addEventListener("input", searchValues, { signal });
    sheet.addEventListener("click", (event) => {
      if (event.target instanceof Element && event.target.closest("[data-apply]")) {
        sheet.close();
        form.requestSubmit();
      }
    }, { signal });
    sheet.addEventListener("close", () => {
      this.append(form);
      sheet.remove();
      this.#sheet = null;
    }, { signal });
    (document.getElementById("dialogs") ?? document.body).append(sheet);
    sheet.showModal();
    void this.#count();
  }
  #countSoon() {
    clearTimeout(this.#timer);
    this.#timer = window.setTimeout(() => void this.#count(), 150);
  }
  async #count() {
    const form = this.#form;
    const words = this.#sheet?.querySelector("[data-count]");
    if (!form || !words || !this.dataset["count"]) return;
    this.#counting.abort();
    this.#counting = new AbortController();
    const url = new URL(this.dataset["count"], location.href);
    for (const [name, value] of new FormData(form)) url.searchParams.append(name, String(value));
    try {
      const response = await fetch(url, { signal: this.#counting.signal, headers: { "HX-Request": "true" } });
      if (response.ok) words.textContent = (await response.text()).trim();
    } catch {
    }
  }
};
function isSearch(target) {
  return target instanceof HTMLInputElement && target.hasAttribute("data-search");
}
function searchValues({ target }) {
  if (!isSearch(target)) return;
  const facet = target.closest("fieldset");
  const typed = fold(target.value);
  for (const value of facet.querySelectorAll("label")) {
    value.hidden = !fold(value.textContent ?? "").includes(typed);
  }
  const more = facet.querySelector("details");
  if (more && typed) more.open = true;
}
customElements.define("filter-sheet", FilterSheet);
