/**
 * Islands load when their element is on the page, first or after a swap. The page lists where they are:
 * `<script type="application/json" id="islands">{"copy-button": {"src": "…", "integrity": "…"}}</script>`.
 */
export function loadIslands(): void {
  const list = document.getElementById("islands")?.textContent;
  if (!list) return;
  const waiting = new Map(Object.entries(JSON.parse(list) as Record<string, { src: string; integrity: string }>));
  const load = (): void => {
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
