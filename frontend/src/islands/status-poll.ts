// A status that changes by itself: a payment that is awaited, a parcel on its way. Server-sent events announce that
// something changed; where they do not come through, the page asks again every few seconds. What is shown is always a
// fragment of the server. When it is final, all of the page is out of date, so it is loaded again (data-page). Without
// this script a link reloads it.

class StatusPoll extends HTMLElement {
  static observedAttributes = ["data-expires"];

  #stopping = new AbortController();
  #events: EventSource | null = null;
  #polling = 0;
  #ticking = 0;
  #shown = "";

  connectedCallback(): void {
    this.#stopping = new AbortController();
    this.#shown = this.#region.innerHTML.trim();
    document.addEventListener("visibilitychange", () => this.#onVisible(), { signal: this.#stopping.signal });
    this.#tick();
    this.#ticking = window.setInterval(() => this.#tick(), 1000);
    this.#listen();
  }

  disconnectedCallback(): void {
    this.#stop();
  }

  attributeChangedCallback(): void {
    if (this.isConnected) this.#tick();
  }

  get #region(): HTMLElement {
    return this.querySelector("[data-region]")!;
  }

  #listen(): void {
    if (this.#region.querySelector("[data-final]")) return this.#stop();
    const address = this.dataset["events"];
    if (!address) return this.#poll();
    this.#events = new EventSource(address);
    this.#events.addEventListener("status", () => void this.#refresh());
    this.#events.addEventListener("error", () => {
      this.#events?.close();
      this.#events = null;
      this.#poll();
    });
  }

  #poll(): void {
    clearInterval(this.#polling);
    this.#polling = window.setInterval(() => {
      if (!document.hidden) void this.#refresh();
    }, Number(this.dataset["every"] ?? 5) * 1000);
  }

  #onVisible(): void {
    if (!document.hidden) void this.#refresh(); // back from the bank's app
  }

  async #refresh(): Promise<void> {
    try {
      const response = await fetch(this.dataset["src"] ?? location.href, {
        signal: this.#stopping.signal,
        headers: { "HX-Request": "true" },
      });
      if (!response.ok) return;
      const html = (await response.text()).trim();
      if (html !== this.#shown) {
        this.#shown = html;
        this.#region.innerHTML = html; // a live region: repeating the same words would be read out again
      }
      if (!this.#region.querySelector("[data-final]")) return;
      this.#stop();
      if (this.dataset["page"]) location.replace(this.dataset["page"]);
    } catch {
      // Offline or leaving: the next turn asks again.
    }
  }

  #stop(): void {
    this.#stopping.abort();
    this.#events?.close();
    this.#events = null;
    clearInterval(this.#polling);
    clearInterval(this.#ticking);
    this.querySelector("[data-clock]")?.toggleAttribute("hidden", this.#region.querySelector("[data-final]") !== null);
  }

  #tick(): void {
    const clock = this.querySelector<HTMLElement>("[data-countdown]");
    const expires = Date.parse(this.dataset["expires"] ?? "");
    if (!clock || Number.isNaN(expires)) return;
    const seconds = Math.max(0, Math.round((expires - Date.now()) / 1000));
    const parts = [Math.floor(seconds / 60), seconds % 60].map((part) => String(part).padStart(2, "0"));
    clock.textContent = parts.join(":");
    if (seconds === 0) {
      clearInterval(this.#ticking);
      void this.#refresh();
    }
  }
}

customElements.define("status-poll", StatusPoll);
