/**
 * `data-opens="id"` on a link or button opens that dialog; the link keeps its href for pages without JavaScript.
 * Closing needs no script: a button in <form method="dialog">, or Escape. A click beside the dialog closes it too.
 */
export function openDialogs(): void {
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

function isBeside(event: MouseEvent, dialog: HTMLDialogElement): boolean {
  const box = dialog.getBoundingClientRect();
  const inside =
    event.clientX >= box.left && event.clientX <= box.right && event.clientY >= box.top && event.clientY <= box.bottom;
  return !inside && event.detail > 0; // Enter on a control reports a click at 0, 0 with detail 0
}
