type Control = HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement;

/**
 * Forms marked `data-check` tell what is wrong with a field when it is left, and take it back while it is corrected.
 * The words are the server's, in `data-missing` and `data-malformed` of the field, so that both say the same.
 */
export function checkFields(): void {
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
    const wrong = [...form.elements].filter((element) => isControl(element) && !element.validity.valid) as Control[];
    wrong.forEach(showState);
    if (wrong[0]) {
      event.preventDefault();
      event.stopImmediatePropagation();
      shown(wrong[0]).focus();
    }
  }, { capture: true }); // before htmx, which listens on the form itself

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

/**
 * Runs things at once, or after the press that is going on: words that come or go move what stands below them, and a
 * button must not leave from under the finger.
 */
function whenNotPressed(): (run: () => void) => void {
  let pressed = false;
  let waiting: (() => void)[] = [];
  const released = (): void => {
    setTimeout(() => {
      pressed = false;
      for (const run of waiting.splice(0)) run();
    });
  };
  document.addEventListener("pointerdown", () => (pressed = true), { capture: true });
  document.addEventListener("pointerup", released, { capture: true });
  document.addEventListener("pointercancel", released, { capture: true });
  return (run) => {
    if (pressed) waiting = [...waiting, run];
    else run();
  };
}

/** `data-names="payment_method"`: the button says what the chosen one of these radios has in `data-consequence`. */
function nameConsequence({ target }: Event): void {
  if (!(target instanceof HTMLInputElement) || !target.dataset["consequence"]) return;
  const button = target.form?.querySelector<HTMLElement>(`[data-names="${CSS.escape(target.name)}"]`);
  const words = button?.firstChild;
  if (words) words.textContent = target.dataset["consequence"];
}

/** A plain page load takes a while: the pressed button shows that it was heard. The server bears repetition. */
function markBusy(event: SubmitEvent): void {
  if (!event.defaultPrevented) event.submitter?.closest("[data-busy]")?.setAttribute("aria-busy", "true");
}

function checked(target: EventTarget | null): Control | null {
  return isControl(target) && target.form?.hasAttribute("data-check") ? target : null;
}

function isControl(target: unknown): target is Control {
  return (
    target instanceof HTMLInputElement || target instanceof HTMLSelectElement || target instanceof HTMLTextAreaElement
  );
}

/** The field a person uses: a <combo-box> hides its select and puts an input beside it. */
function shown(control: Control): Control {
  return control.hidden ? (control.parentElement?.querySelector("input") ?? control) : control;
}

function showState(control: Control): void {
  const error = document.getElementById(`${control.id}-error`);
  if (!error) return;
  const { validity, dataset } = control;
  const message = validity.valid ? "" : ((validity.valueMissing ? dataset["missing"] : dataset["malformed"]) ?? "");
  if (message) control.setAttribute("aria-invalid", "true");
  else control.removeAttribute("aria-invalid");
  const words = error.querySelector("[data-words]") ?? error;
  words.textContent = message;
  error.hidden = !message;
}
