/** Toasts with `data-seconds` leave by themselves, but never while someone reads them by pointer or keyboard. */
export function timeToasts(): void {
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

function timeToast(toast: HTMLElement): void {
  const seconds = Number(toast.dataset["seconds"]);
  if (!seconds) return;
  let timer = 0;
  const wait = (): void => {
    timer = window.setTimeout(() => toast.remove(), seconds * 1000);
  };
  const hold = (): void => clearTimeout(timer);
  toast.addEventListener("pointerenter", hold);
  toast.addEventListener("focusin", hold);
  toast.addEventListener("pointerleave", wait);
  toast.addEventListener("focusout", wait);
  wait();
}

/** When no answer comes at all there is no fragment to show; the page carries one for that case. */
export function tellNetworkErrors(): void {
  document.addEventListener("htmx:error", (event) => {
    const { ctx } = (event as CustomEvent<{ ctx?: { response?: unknown } }>).detail;
    if (!ctx || ctx.response) return;
    const host = document.getElementById("toasts");
    const template = document.getElementById("network-error");
    if (!host || !(template instanceof HTMLTemplateElement) || host.querySelector("[data-network-error]")) return;
    host.append(template.content.cloneNode(true));
  });
}
