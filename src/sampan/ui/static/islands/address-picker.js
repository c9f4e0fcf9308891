// src/csrf.ts
var HEADER = "X-CSRF-Token";
function token() {
  return document.querySelector('meta[name="csrf-token"]')?.content ?? "";
}
function csrfHeaders() {
  const value = token();
  return value ? { [HEADER]: value } : {};
}

// src/islands/address-picker.ts
var AddressPicker = class extends HTMLElement {
  #listening = new AbortController();
  #loading = new AbortController();
  connectedCallback() {
    this.#listening = new AbortController();
    const { signal } = this.#listening;
    this.addEventListener("change", (event) => {
      if (event.target === this.#province) void this.#loadWards("");
    }, { signal });
    this.addEventListener("click", (event) => {
      if (event.target instanceof Element && event.target.closest("[data-parse]")) {
        event.preventDefault();
        void this.#parse();
      }
    }, { signal });
  }
  disconnectedCallback() {
    this.#listening.abort();
    this.#loading.abort();
  }
  get #province() {
    return this.querySelector("select[data-province]");
  }
  get #ward() {
    return this.querySelector("select[data-ward]");
  }
  get #places() {
    return this.dataset["places"] ?? "/api/v1/locations/vn";
  }
  #say(words) {
    this.querySelector("[role=status]").textContent = words ?? "";
  }
  async #loadWards(chosen) {
    this.#loading.abort();
    this.#loading = new AbortController();
    const { signal } = this.#loading;
    const ward = this.#ward;
    const empty = ward.options[0];
    ward.replaceChildren(empty);
    ward.disabled = !this.#province.value;
    if (!this.#province.value) return;
    ward.setAttribute("aria-busy", "true");
    try {
      const wards = await this.#wards(this.#province.value, signal);
      ward.replaceChildren(empty, ...wards.map((unit) => new Option(unit.full_name, unit.code)));
      ward.value = chosen;
      ward.dispatchEvent(new Event("input", { bubbles: true }));
      ward.dispatchEvent(new Event("change", { bubbles: true }));
      this.#say("");
    } catch (error) {
      if (!signal.aborted) this.#say(this.dataset["failed"]);
    } finally {
      if (!signal.aborted) ward.removeAttribute("aria-busy");
    }
  }
  async #wards(province, signal) {
    const units = [];
    const url = new URL(`${this.#places}/provinces/${encodeURIComponent(province)}/wards`, location.href);
    for (; ; ) {
      const response = await fetch(url, { signal, headers: { "Accept-Language": document.documentElement.lang } });
      if (!response.ok) throw new Error(response.statusText);
      const page = await response.json();
      units.push(...page.items);
      if (!page.next) return units;
      url.searchParams.set("cursor", page.next);
    }
  }
  async #parse() {
    const text = this.querySelector("[data-whole]")?.value.trim();
    if (!text) return;
    try {
      const response = await fetch(`${this.#places}/parse`, {
        method: "POST",
        headers: { "Content-Type": "application/json", ...csrfHeaders() },
        body: JSON.stringify({ text })
      });
      if (!response.ok) throw new Error(response.statusText);
      await this.#fill(await response.json());
    } catch {
      this.#say(this.dataset["failed"]);
    }
  }
  /** What was typed before stays; one candidate is taken, several are offered (an old ward may have been divided). */
  async #fill({ name, phone, street, candidates }) {
    const form = this.closest("form");
    for (const [selector, value] of [["[autocomplete~=name]", name], ["[autocomplete~=tel]", phone]]) {
      const input = form?.querySelector(selector);
      if (input && value && !input.value) write(input, value);
    }
    const line = this.querySelector("[data-street]");
    if (line && street) write(line, street);
    const only = candidates.length === 1 ? candidates[0] : void 0;
    this.#offer(only ? [] : candidates);
    if (only) await this.#take(only);
    else this.#say(candidates.length ? this.dataset["several"] : this.dataset["unsure"]);
  }
  #offer(candidates) {
    const list = this.querySelector("[data-candidates]");
    list.replaceChildren(
      ...candidates.map((candidate) => {
        const button = document.createElement("button");
        button.type = "button";
        button.className = "chip";
        button.textContent = [candidate.ward?.full_name, candidate.province.full_name].filter(Boolean).join(", ");
        button.addEventListener("click", () => {
          list.replaceChildren();
          void this.#take(candidate);
        });
        return button;
      })
    );
    list.querySelector("button")?.focus();
  }
  async #take({ province, ward }) {
    this.#province.value = province.code;
    this.#province.dispatchEvent(new Event("input", { bubbles: true }));
    this.#province.dispatchEvent(new Event("change", { bubbles: true }));
    await this.#loadWards(ward?.code ?? "");
    this.#say(ward ? this.dataset["filled"] : this.dataset["unsure"]);
    this.#shown(ward ? this.querySelector("[data-street]") : this.#ward).focus();
  }
  /** The field a person uses: the control itself, or the search field that a combo-box put beside its select. */
  #shown(control) {
    return control.hidden ? control.parentElement?.querySelector("input") ?? control : control;
  }
};
function write(input, value) {
  input.value = value;
  input.dispatchEvent(new Event("input", { bubbles: true }));
}
customElements.define("address-picker", AddressPicker);
