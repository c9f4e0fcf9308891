import "./htmx";

/**
 * A region that is morphed keeps what the visitor opened: the server does not know which <details> are open, so its
 * HTML would close them, and a <dialog> that loses `open` this way leaves the page frozen.
 */
export function keepOpenStates(): void {
  window.htmx?.registerExtension("keep-open", {
    htmx_before_morph_attr: (element, { attrName }) =>
      !(attrName === "open" && (element instanceof HTMLDetailsElement || element instanceof HTMLDialogElement)),
  });
}
