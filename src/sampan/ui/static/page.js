// src/csrf.ts
var HEADER = "X-CSRF-Token";
function token() {
  return document.querySelector('meta[name="csrf-token"]')?.content ?? "";
}
function csrfHeaders() {
  const value = token();
  return value ? { [HEADER]: value } : {};
}
function sendCsrfToken() {
  document.addEventListener("htmx:config:request", (event) => {
    const { request } = event.detail.ctx;
    if (request.method !== "GET") Object.assign(request.headers, csrfHeaders());
  });
}

// src/dialogs.ts
function openDialogs() {
  document.addEventListener("click", (event) => {
    if (!(event.target instanceof Element)) return;
    if (event.target instanceof HTMLDialogElement && isBeside(event, event.target)) {
      event.target.close();
      return;
    }
    const opener = event.target.closest("[data-opens]");
    if (!opener || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const dialog = document.getElementById(opener.getAttribute("data-opens") ?? "");
    if (!(dialog instanceof HTMLDialogElement)) return;
    event.preventDefault();
    if (!dialog.open) dialog.showModal();
  });
}
function isBeside(event, dialog) {
  const box = dialog.getBoundingClientRect();
  const inside = event.clientX >= box.left && event.clientX <= box.right && event.clientY >= box.top && event.clientY <= box.bottom;
  return !inside && event.detail > 0;
}

// src/forms.ts
function checkFields() {
  const afterPress = whenNotPressed();
  document.addEventListener("focusout", (event) => {
    const control = checked(event.target);
    if (control && (control.value || control.hasAttribute("aria-invalid"))) afterPress(() => showState(control));
  });
  document.addEventListener("input", (event) => {
    const control = checked(event.target);
    if (control?.getAttribute("aria-invalid") === "true" && control.validity.valid) showState(control);
  });
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!(form instanceof HTMLFormElement) || !form.hasAttribute("data-check")) return;
    const wrong = [...form.elements].filter((element) => isControl(element) && !element.validity.valid);
    wrong.forEach(showState);
    if (wrong[0]) {
      event.preventDefault();
      event.stopImmediatePropagation();
      shown(wrong[0]).focus();
    }
  }, { capture: true });
  document.addEventListener("click", (event) => {
    const link = event.target instanceof Element ? event.target.closest("a[data-field]") : null;
    const control = document.getElementById(link?.getAttribute("href")?.slice(1) ?? "");
    if (isControl(control)) {
      event.preventDefault();
      shown(control).focus();
    }
  });
  document.addEventListener("change", nameConsequence);
  document.addEventListener("submit", markBusy);
  window.addEventListener("pageshow", (event) => {
    if (!event.persisted) return;
    for (const button of document.querySelectorAll("[data-busy][aria-busy]")) button.removeAttribute("aria-busy");
  });
}
function whenNotPressed() {
  let pressed = false;
  let waiting = [];
  const released = () => {
    setTimeout(() => {
      pressed = false;
      for (const run of waiting.splice(0)) run();
    });
  };
  document.addEventListener("pointerdown", () => pressed = true, { capture: true });
  document.addEventListener("pointerup", released, { capture: true });
  document.addEventListener("pointercancel", released, { capture: true });
  return (run) => {
    if (pressed) waiting = [...waiting, run];
    else run();
  };
}
function nameConsequence({ target }) {
  if (!(target instanceof HTMLInputElement) || !target.dataset["consequence"]) return;
  const button = target.form?.querySelector(`[data-names="${CSS.escape(target.name)}"]`);
  const words = button?.firstChild;
  if (words) words.textContent = target.dataset["consequence"];
}
function markBusy(event) {
  if (!event.defaultPrevented) event.submitter?.closest("[data-busy]")?.setAttribute("aria-busy", "true");
}
function checked(target) {
  return isControl(target) && target.form?.hasAttribute("data-check") ? target : null;
}
function isControl(target) {
  return target instanceof HTMLInputElement || target instanceof HTMLSelectElement || target instanceof HTMLTextAreaElement;
}
function shown(control) {
  return control.hidden ? control.parentElement?.querySelector("input") ?? control : control;
}
function showState(control) {
  const error = document.getElementById(`${control.id}-error`);
  if (!error) return;
  const { validity, dataset } = control;
  const message = validity.valid ? "" : (validity.valueMissing ? dataset["missing"] : dataset["malformed"]) ?? "";
  if (message) control.setAttribute("aria-invalid", "true");
  else control.removeAttribute("aria-invalid");
  const words = error.querySelector("[data-words]") ?? error;
  words.textContent = message;
  error.hidden = !message;
}

// src/loader.ts
function loadIslands() {
  const list = document.getElementById("islands")?.textContent;
  if (!list) return;
  const waiting = new Map(Object.entries(JSON.parse(list)));
  const load = () => {
    for (const [name, { src, integrity }] of waiting) {
      if (!document.querySelector(name)) continue;
      waiting.delete(name);
      const script = document.createElement("script");
      script.type = "module";
      script.src = src;
      script.integrity = integrity;
      document.head.append(script);
    }
  };
  load();
  document.addEventListener("htmx:after:swap", load);
}

// src/menus.ts
var MENUS = "details[data-menu][open]";
function closeMenus() {
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    const menu = document.activeElement?.closest(MENUS) ?? document.querySelector(MENUS);
    if (!menu) return;
    const hadFocus = menu.contains(document.activeElement);
    menu.open = false;
    if (hadFocus) menu.querySelector("summary")?.focus();
  });
  document.addEventListener("click", (event) => closeAllBut(event.target));
  document.addEventListener("focusin", (event) => closeAllBut(event.target));
}
function closeAllBut(target) {
  for (const menu of document.querySelectorAll(MENUS)) {
    if (!(target instanceof Node && menu.contains(target))) menu.open = false;
  }
}

// src/morph.ts
function keepOpenStates() {
  window.htmx?.registerExtension("keep-open", {
    htmx_before_morph_attr: (element, { attrName }) => !(attrName === "open" && (element instanceof HTMLDetailsElement || element instanceof HTMLDialogElement))
  });
}

// src/toasts.ts
function timeToasts() {
  const host = document.getElementById("toasts");
  if (!host) return;
  new MutationObserver((changes) => {
    for (const { addedNodes } of changes) {
      for (const node of addedNodes) if (node instanceof HTMLElement) timeToast(node);
    }
  }).observe(host, { childList: true });
  host.addEventListener("click", (event) => {
    if (event.target instanceof Element && event.target.closest("[data-closes]")) {
      event.target.closest(".toast")?.remove();
    }
  });
}
function timeToast(toast) {
  const seconds = Number(toast.dataset["seconds"]);
  if (!seconds) return;
  let timer = 0;
  const wait = () => {
    timer = window.setTimeout(() => toast.remove(), seconds * 1e3);
  };
  const hold = () => clearTimeout(timer);
  toast.addEventListener("pointerenter", hold);
  toast.addEventListener("focusin", hold);
  toast.addEventListener("pointerleave", wait);
  toast.addEventListener("focusout", wait);
  wait();
}
function tellNetworkErrors() {
  document.addEventListener("htmx:error", (event) => {
    const { ctx } = event.detail;
    if (!ctx || ctx.response) return;
    const host = document.getElementById("toasts");
    const template = document.getElementById("network-error");
    if (!host || !(template instanceof HTMLTemplateElement) || host.querySelector("[data-network-error]")) return;
    host.append(template.content.cloneNode(true));
  });
}

// src/page.ts
sendCsrfToken();
keepOpenStates();
openDialogs();
closeMenus();
checkFields();
timeToasts();
tellNetworkErrors();
loadIslands();
