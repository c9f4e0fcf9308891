// Recently viewed: the browser alone remembers which products were looked at, and asks for their cards when the rail
// comes near. A first visit asks for nothing and shows nothing; without this script there is no rail.

const KEY = "seen";
const KEPT = 12;

class SeenRail extends HTMLElement {
  #asking = new AbortController();
  #near: IntersectionObserver | undefined;

  connectedCallback(): void {
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

  disconnectedCallback(): void {
    this.#near?.disconnect();
    this.#asking.abort();
  }

  async #show(ids: string[]): Promise<void> {
    const url = new URL(this.dataset["src"] ?? "", location.href);
    for (const id of ids.slice(0, 8)) url.searchParams.append("id", id);
    try {
      const response = await fetch(url, { signal: this.#asking.signal, headers: { "HX-Request": "true" } });
      if (response.ok && response.status !== 204) this.innerHTML = await response.text();
    } catch {
      // The page is whole without it.
    }
  }
}

function kept(): string[] {
  try {
    const found: unknown = JSON.parse(localStorage.getItem(KEY) ?? "[]");
    return Array.isArray(found) ? found.filter((id) => typeof id === "string") : [];
  } catch {
    return []; // storage is switched off, or holds something else
  }
}

function keep(ids: string[]): void {
  try {
    localStorage.setItem(KEY, JSON.stringify(ids.slice(0, KEPT)));
  } catch {
    // Storage is switched off or full.
  }
}

customElements.define("seen-rail", SeenRail);
