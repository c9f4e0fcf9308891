// A <select> with a field to search in it: accents optional, `d` finds `đ`. The select stays the one place where the
// value lives, so forms, labels and other scripts see a normal select. An input and a list are put beside it.
import { fold } from "../fold";

const MOST_SHOWN = 60;
const MIRRORED = ["disabled", "aria-label", "aria-invalid", "aria-describedby"];

class ComboBox extends HTMLElement {
  #listening = new AbortController();
  #input = document.createElement("input");
  #list = document.createElement("div");
  #watcher = new MutationObserver(() => this.#showChosen());
  #active = -1;

  connectedCallback(): void {
    this.#listening = new AbortController();
    const { signal } = this.#listening;
    const select = this.#select;
    this.#build(select);
    this.#watcher.observe(select, { childList: true, subtree: true, attributes: true, attributeFilter: MIRRORED });
    select.addEventListener("change", () => this.#showChosen(), { signal });
    this.#input.addEventListener("input", () => this.#open(this.#input.value), { signal });
    this.#input.addEventListener("focus", () => this.#input.select(), { signal }); // typing replaces the choice
    this.#input.addEventListener("click", () => this.#open(""), { signal });
    this.#input.addEventListener("keydown", (event) => this.#onKey(event), { signal });
    this.#input.addEventListener("blur", () => {
      this.#settle();
      select.dispatchEvent(new FocusEvent("focusout", { bubbles: true })); // whoever checks fields sees the select left
    }, { signal });
    this.#list.addEventListener("pointerdown", (event) => event.preventDefault(), { signal }); // keep the focus in the field
    this.#list.addEventListener("click", (event) => this.#onPick(event), { signal });
  }

  disconnectedCallback(): void {
    this.#listening.abort();
    this.#watcher.disconnect();
    this.#input.remove();
    this.#list.remove();
    this.#select.hidden = false;
  }

  get #select(): HTMLSelectElement {
    return this.querySelector("select")!;
  }

  #build(select: HTMLSelectElement): void {
    const label = select.labels[0];
    this.#list.id = `${select.id}-list`;
    this.#list.className = "combobox__list";
    this.#list.setAttribute("role", "listbox");
    this.#list.hidden = true;
    const input = this.#input;
    input.id = `${select.id}-search`;
    input.type = "text";
    input.className = "input combobox__input";
    input.autocomplete = "off";
    input.spellcheck = false;
    input.setAttribute("role", "combobox");
    input.setAttribute("aria-autocomplete", "list");
    input.setAttribute("aria-expanded", "false");
    input.setAttribute("aria-controls", this.#list.id);
    if (select.required) input.setAttribute("aria-required", "true");
    if (label) {
      label.id ||= `${select.id}-label`;
      input.setAttribute("aria-labelledby", label.id);
      this.#list.setAttribute("aria-labelledby", label.id);
      label.addEventListener("click", () => input.focus(), { signal: this.#listening.signal });
    }
    select.after(input, this.#list);
    select.hidden = true;
    this.#showChosen();
  }

  #showChosen(): void {
    const chosen = this.#select.selectedOptions[0];
    this.#input.value = chosen?.value ? chosen.text : "";
    this.#input.placeholder = this.#select.options[0]?.value ? "" : (this.#select.options[0]?.text ?? "");
    for (const name of MIRRORED) {
      const value = this.#select.getAttribute(name);
      if (value === null) this.#input.removeAttribute(name);
      else this.#input.setAttribute(name, value);
    }
  }

  /** Options that hold every typed word at the start of one of theirs; exact accents come first. */
  #matches(typed: string): HTMLOptionElement[] {
    const options = [...this.#select.options].filter((option) => option.value && !option.disabled);
    const words = fold(typed).split(" ").filter(Boolean);
    if (!words.length) return options;
    const exact = typed.trim().toLowerCase();
    return options
      .filter((option) => words.every((word) => ` ${fold(`${option.text} ${option.dataset["also"] ?? ""}`)}`.includes(` ${word}`)))
      .sort((a, b) => Number(b.text.toLowerCase().includes(exact)) - Number(a.text.toLowerCase().includes(exact)));
  }

  #open(typed: string): void {
    const shown = this.#matches(typed).slice(0, MOST_SHOWN);
    this.#list.replaceChildren(...shown.map((option) => this.#row(option)));
    if (!shown.length) {
      const empty = document.createElement("p");
      empty.className = "combobox__empty";
      empty.setAttribute("role", "status");
      empty.textContent = this.dataset["none"] ?? "";
      this.#list.append(empty);
    }
    this.#list.hidden = false;
    this.#input.setAttribute("aria-expanded", "true");
    const chosen = typed ? 0 : shown.findIndex((option) => option.value === this.#select.value);
    this.#mark(chosen);
  }

  #row(option: HTMLOptionElement): HTMLElement {
    const row = document.createElement("div");
    row.id = `${this.#list.id}-${option.value}`;
    row.className = "combobox__option";
    row.setAttribute("role", "option");
    row.dataset["value"] = option.value;
    row.textContent = option.text;
    return row;
  }

  get #rows(): HTMLElement[] {
    return [...this.#list.querySelectorAll<HTMLElement>("[role=option]")];
  }

  #mark(at: number): void {
    this.#active = at;
    this.#rows.forEach((row, index) => row.setAttribute("aria-selected", String(index === at)));
    const row = this.#rows[at];
    if (row) {
      this.#input.setAttribute("aria-activedescendant", row.id);
      row.scrollIntoView({ block: "nearest" });
    } else {
      this.#input.removeAttribute("aria-activedescendant");
    }
  }

  #close(): void {
    this.#list.hidden = true;
    this.#input.setAttribute("aria-expanded", "false");
    this.#input.removeAttribute("aria-activedescendant");
  }

  #choose(value: string): void {
    this.#close();
    if (this.#select.value !== value) {
      this.#select.value = value;
      this.#select.dispatchEvent(new Event("input", { bubbles: true }));
      this.#select.dispatchEvent(new Event("change", { bubbles: true }));
    }
    this.#showChosen();
  }

  /** Leaving the field: an emptied field empties the select, one possible match is taken, anything else is undone. */
  #settle(): void {
    if (this.#list.hidden) return;
    const typed = this.#input.value;
    const matches = this.#matches(typed);
    if (!typed.trim() && this.#select.options[0]?.value === "") this.#choose("");
    else if (matches.length === 1 && matches[0]) this.#choose(matches[0].value);
    else this.#choose(this.#select.value);
  }

  #onPick(event: Event): void {
    const row = event.target instanceof Element ? event.target.closest<HTMLElement>("[role=option]") : null;
    if (row) this.#choose(row.dataset["value"] ?? "");
  }

  #onKey(event: KeyboardEvent): void {
    const count = this.#rows.length;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (this.#list.hidden) return this.#open("");
      if (count) this.#mark((this.#active + (event.key === "ArrowDown" ? 1 : -1) + count) % count);
    } else if (event.key === "Enter" && !this.#list.hidden) {
      event.preventDefault();
      const row = this.#rows[this.#active];
      if (row) this.#choose(row.dataset["value"] ?? "");
    } else if (event.key === "Escape" && !this.#list.hidden) {
      event.preventDefault();
      event.stopPropagation(); // the dialog around it stays
      this.#choose(this.#select.value);
    }
  }
}

customElements.define("combo-box", ComboBox);
