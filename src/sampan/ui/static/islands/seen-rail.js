// src/islands/seen-rail.ts
var KEY = "seen";
var KEPT = 12;
var SeenRail = class extends HTMLElement {
  #asking = new AbortController();
  #near;
  connectedCallback() {
    this.#asking = new AbortController();
    const here = this.dataset["id"] ?? "";
    const before = kept().filter((id) => id !== here);
    if (here) keep([here, ...before]);
    if (!before.length) return;
    this.#near = new IntersectionObserver((entries) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      this.#near?.disconnect();
      void this.#show(before);
    }, { rootMargin: "600px" });
    this.#near.observe(this);
  }
  disconnectedCallback() {
    this.#near?.disconnect();
    this.#asking.abort();
  }
  async #show(ids) {
    const url = new URL(this.dataset["src"] ?? "", location.href);
    for (const id of ids.slice(0, 8)) url.searchParams.append("id", id);
    try {
      const response = await fetch(url, { signal: this.#asking.signal, headers: { "HX-Request": "true" } });
      if (response.ok && response.status !== 204) this.innerHTML = await response.text();
    } catch {
    }
  }
};
function kept() {
  try {
    const found = JSON.parse(localStorage.getItem(KEY) ?? "[]");
    return Array.isArray(found) ? found.filter((id) => typeof id === "string") : [];
  } catch {
    return [];
  }
}
function keep(ids) {
  try {
    localStorage.setItem(KEY, JSON.stringify(ids.slice(0, KEPT)));
  } catch {
  }
}
customElements.define("seen-rail", SeenRail);
