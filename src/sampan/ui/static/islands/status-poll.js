// src/islands/status-poll.ts
var StatusPoll = class extends HTMLElement {
  static observedAttributes = ["data-expires"];
  #stopping = new AbortController();
  #events = null;
  #polling = 0;
  #ticking = 0;
  #shown = "";
  connectedCallback() {
    this.#stopping = new AbortController();
    this.#shown = this.#region.innerHTML.trim();
    document.addEventListener("visibilitychange", () => this.#onVisible(), { signal: this.#stopping.signal });
    this.#tick();
    this.#ticking = window.setInterval(() => this.#tick(), 1e3);
    this.#listen();
  }
  disconnectedCallback() {
    this.#stop();
  }
  attributeChangedCallback() {
    if (this.isConnected) this.#tick();
  }
  get #region() {
    return this.querySelector("[data-region]");
  }
  #listen() {
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
  #poll() {
    clearInterval(this.#polling);
    this.#polling = window.setInterval(() => {
      if (!document.hidden) void this.#refresh();
    }, Number(this.dataset["every"] ?? 5) * 1e3);
  }
  #onVisible() {
    if (!document.hidden) void this.#refresh();
  }
  async #refresh() {
    try {
      const response = await fetch(this.dataset["src"] ?? location.href, {
        signal: this.#stopping.signal,
        headers: { "HX-Request": "true" }
      });
      if (!response.ok) return;
      const html = (await response.text()).trim();
      if (html !== this.#shown) {
        this.#shown = html;
        this.#region.innerHTML = html;
      }
      if (!this.#region.querySelector("[data-final]")) return;
      this.#stop();
      if (this.dataset["page"]) location.replace(this.dataset["page"]);
    } catch {
    }
  }
  #stop() {
    this.#stopping.abort();
    this.#events?.close();
    this.#events = null;
    clearInterval(this.#polling);
    clearInterval(this.#ticking);
    this.querySelector("[data-clock]")?.toggleAttribute("hidden", this.#region.querySelector("[data-final]") !== null);
  }
  #tick() {
    const clock = this.querySelector("[data-countdown]");
    const expires = Date.parse(this.dataset["expires"] ?? "");
    if (!clock || Number.isNaN(expires)) return;
    const seconds = Math.max(0, Math.round((expires - Date.now()) / 1e3));
    const parts = [Math.floor(seconds / 60), seconds % 60].map((part) => String(part).padStart(2, "0"));
    clock.textContent = parts.join(":");
    if (seconds === 0) {
      clearInterval(this.#ticking);
      void this.#refresh();
    }
  }
};
customElements.define("status-poll", StatusPoll);
