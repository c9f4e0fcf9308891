// The token that proves a request came from our own page (ux: hidden field in forms, header in scripted requests).

const HEADER = "X-CSRF-Token";

function token(): string {
  return document.querySelector<HTMLMetaElement>('meta[name="csrf-token"]')?.content ?? "";
}

/** The header for a request that an island sends itself. */
export function csrfHeaders(): Record<string, string> {
  const value = token();
  return value ? { [HEADER]: value } : {};
}

/** One listener for all of htmx. Inherited attributes would be the other way, and htmx 4 does not inherit by itself. */
export function sendCsrfToken(): void {
  document.addEventListener("htmx:config:request", (event) => {
    const { request } = (event as CustomEvent<{ ctx: HtmxContext }>).detail.ctx;
    if (request.method !== "GET") Object.assign(request.headers, csrfHeaders());
  });
}

interface HtmxContext {
  request: { method: string; headers: Record<string, string> };
}
