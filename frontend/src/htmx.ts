// The little of htmx 4 that our own code calls.

interface Htmx {
  process(root: Element): void;
  ajax(method: "GET" | "POST", path: string, options: { target: string | Element; swap?: string }): Promise<void>;
  registerExtension(name: string, hooks: Record<string, (element: Element, detail: MorphDetail) => boolean | void>): void;
}

export interface MorphDetail {
  attrName: string;
  newValue: string | null;
}

declare global {
  interface Window {
    htmx?: Htmx;
  }
}

export {};
