const MENUS = "details[data-menu][open]";

/** Menus and explanations are <details>: Escape, a click elsewhere and leaving them by keyboard close them. */
export function closeMenus(): void {
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    const menu = document.activeElement?.closest<HTMLDetailsElement>(MENUS) ?? document.querySelector<HTMLDetailsElement>(MENUS);
    if (!menu) return;
    const hadFocus = menu.contains(document.activeElement);
    menu.open = false;
    if (hadFocus) menu.querySelector("summary")?.focus();
  });
  document.addEventListener("click", (event) => closeAllBut(event.target));
  document.addEventListener("focusin", (event) => closeAllBut(event.target));
}

function closeAllBut(target: EventTarget | null): void {
  for (const menu of document.querySelectorAll<HTMLDetailsElement>(MENUS)) {
    if (!(target instanceof Node && menu.contains(target))) menu.open = false;
  }
}
