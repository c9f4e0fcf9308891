// src/islands/theme-toggle.ts
var YEAR = 60 * 60 * 24 * 365;
var ThemeToggle = class extends HTMLElement {
  #listening = new AbortController();
  connectedCallback() {
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
  disconnectedCallback() {
    this.#listening.abort();
  }
  /** A page from a shared cache does not know the visitor's choice: then it is taken from the cookie. */
  #show(name) {
    const value = document.documentElement.dataset[name] ?? cookie(name);
    apply(name, value);
    if (name === "shortcuts") {
      const box = this.querySelector("input[type=checkbox]");
      if (box) box.checked = value !== "off";
    } else {
      for (const radio of this.querySelectorAll("input[type=radio]")) {
        radio.checked = radio.value === (value || "auto");
      }
    }
  }
};
function setChoice(name, value) {
  document.cookie = `${name}=${value}; Path=/; Max-Age=${value ? YEAR : 0}; SameSite=Lax`;
  apply(name, value);
}
function apply(name, value) {
  if (value) document.documentElement.dataset[name] = value;
  else delete document.documentElement.dataset[name];
}
function cookie(name) {
  const found = document.cookie.split("; ").find((pair) => pair.startsWith(`${name}=`));
  const value = found?.slice(name.length + 1) ?? "";
  return /^(light|dark|off)$/.test(value) ? value : "";
}
customElements.define("theme-toggle", ThemeToggle);
