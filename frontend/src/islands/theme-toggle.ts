// Light, dark or as the device says, and whether single keys are shortcuts. Kept in cookies, so that the server can
// write the choice into <html> and the next page does not flash.

const YEAR = 60 * 60 * 24 * 365;

class ThemeToggle extends HTMLElement {
  #listening = new AbortController();

  connectedCallback(): void {
    this.#listening = new AbortController();
    const { signal } = this.#listening;
    this.addEventListener("change", (event) => {
      const control = event.target;
      if (!(control instanceof HTMLInputElement)) return;
      if (control.type === "radio") setChoice("theme", control.value === "auto" ? "" : control.value);
      else setChoice("shortcuts", control.checked ? "" : "off");
    }, { signal });
    this.#show("theme");
    this.#show("shortcuts");
  }

  disconnectedCallback(): void {
    this.#listening.abort();
  }

  /** A page from a shared cache does not know the visitor's choice: then it is taken from the cookie. */
  #show(name: "theme" | "shortcuts"): void {
    const value = document.documentElement.dataset[name] ?? cookie(name);
    apply(name, value);
    if (name === "shortcuts") {
      const box = this.querySelector<HTMLInputElement>("input[type=checkbox]");
      if (box) box.checked = value !== "off";
    } else {
      for (const radio of this.querySelectorAll<HTMLInputElement>("input[type=radio]")) {
        radio.checked = radio.value === (value || "auto");
      }
    }
  }
}

function setChoice(name: string, value: string): void {
  document.cookie = `${name}=${value}; Path=/; Max-Age=${value ? YEAR : 0}; SameSite=Lax`;
  apply(name, value);
}

function apply(name: string, value: string): void {
  if (value) document.documentElement.dataset[name] = value;
  else delete document.documentElement.dataset[name];
}

function cookie(name: string): string {
  const found = document.cookie.split("; ").find((pair) => pair.startsWith(`${name}=`));
  const value = found?.slice(name.length + 1) ?? "";
  return /^(light|dark|off)$/.test(value) ? value : "";
}

customElements.define("theme-toggle", ThemeToggle);
