// Province and ward: the wards follow the chosen province, and a whole address pasted from a chat fills the fields.
// Without this script the province select has a button beside it that reloads the form with the wards.
import { csrfHeaders } from "../csrf";

interface Unit {
  code: string;
  full_name: string;
}

interface Page {
  items: Unit[];
  next: string | null;
}

interface Match {
  province: Unit;
  ward: Unit | null;
}

interface Parsed {
  name: string;
  phone: string;
  street: string;
  candidates: Match[];
}

class AddressPicker extends HTMLElement {
  #listening = new AbortController();
  #loading = new AbortController();

  connectedCallback(): void {
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

  disconnectedCallback(): void {
    this.#listening.abort();
    this.#loading.abort();
  }

  get #province(): HTMLSelectElement {
    return this.querySelector("select[data-province]")!;
  }

  get #ward(): HTMLSelectElement {
    return this.querySelector("select[data-ward]")!;
  }

  get #places(): string {
    return this.dataset["places"] ?? "/api/v1/locations/vn";
  }

  #say(words: string | undefined): void {
    this.querySelector("[role=status]")!.textContent = words ?? "";
  }

  async #loadWards(chosen: string): Promise<void> {
    this.#loading.abort();
    this.#loading = new AbortController();
    const { signal } = this.#loading;
    const ward = this.#ward;
    const empty = ward.options[0]!;
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

  async #wards(province: string, signal: AbortSignal): Promise<Unit[]> {
    const units: Unit[] = [];
    const url = new URL(`${this.#places}/provinces/${encodeURIComponent(province)}/wards`, location.href);
    for (;;) {
      const response = await fetch(url, { signal, headers: { "Accept-Language": document.documentElement.lang } });
      if (!response.ok) throw new Error(response.statusText);
      const page = (await response.json()) as Page;
      units.push(...page.items);
      if (!page.next) return units;
      url.searchParams.set("cursor", page.next);
    }
  }

  async #parse(): Promise<void> {
    const text = this.querySelector<HTMLTextAreaElement>("[data-whole]")?.value.trim();
    if (!text) return;
    try {
      const response = await fetch(`${this.#places}/parse`, {
        method: "POST",
        headers: { "Content-Type": "application/json", ...csrfHeaders() },
        body: JSON.stringify({ text }),
      });
      if (!response.ok) throw new Error(response.statusText);
      await this.#fill((await response.json()) as Parsed);
    } catch {
      this.#say(this.dataset["failed"]);
    }
  }

  /** What was typed before stays; one candidate is taken, several are offered (an old ward may have been divided). */
  async #fill({ name, phone, street, candidates }: Parsed): Promise<void> {
    const form = this.closest("form");
    for (const [selector, value] of [["[autocomplete~=name]", name], ["[autocomplete~=tel]", phone]] as const) {
      const input = form?.querySelector<HTMLInputElement>(selector);
      if (input && value && !input.value) write(input, value);
    }
    const line = this.querySelector<HTMLInputElement>("[data-street]");
    if (line && street) write(line, street);
    const only = candidates.length === 1 ? candidates[0] : undefined;
    this.#offer(only ? [] : candidates);
    if (only) await this.#take(only);
    else this.#say(candidates.length ? this.dataset["several"] : this.dataset["unsure"]);
  }

  #offer(candidates: Match[]): void {
    const list = this.querySelector("[data-candidates]")!;
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
      }),
    );
    list.querySelector("button")?.focus();
  }

  async #take({ province, ward }: Match): Promise<void> {
    this.#province.value = province.code;
    this.#province.dispatchEvent(new Event("input", { bubbles: true }));
    this.#province.dispatchEvent(new Event("change", { bubbles: true })); // begins to load the wards, none chosen
    await this.#loadWards(ward?.code ?? "");
    this.#say(ward ? this.dataset["filled"] : this.dataset["unsure"]);
    this.#shown(ward ? this.querySelector<HTMLElement>("[data-street]")! : this.#ward).focus();
  }

  /** The field a person uses: the control itself, or the search field that a combo-box put beside its select. */
  #shown(control: HTMLElement): HTMLElement {
    return control.hidden ? (control.parentElement?.querySelector("input") ?? control) : control;
  }
}

/** As if it had been typed, so that who checks the field sees it. */
function write(input: HTMLInputElement, value: string): void {
  input.value = value;
  input.dispatchEvent(new Event("input", { bubbles: true }));
}

customElements.define("address-picker", AddressPicker);
