// Builds src/sampan/ui/static from this folder: islands, the icon sprite, the vendored libraries and their licences.
// Fonts have a script of their own (fonts.py), because they change hardly ever and need Python.
import { mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = fileURLToPath(new URL(".", import.meta.url));
const packages = join(here, "node_modules");
const target = join(here, "..", "src", "sampan", "ui", "static");

// One readable file for each island, whole in itself: a page loads what it uses, and a reader sees what runs.
async function islands() {
  const sources = (await readdir(join(here, "src", "islands"))).filter((name) => name.endsWith(".ts"));
  await rm(join(target, "islands"), { recursive: true, force: true });
  const options = {
    bundle: true,
    format: "esm",
    target: ["safari16.4", "chrome111", "firefox114"],
    charset: "utf8",
    legalComments: "none",
    logLevel: "warning",
  };
  await build({
    ...options,
    entryPoints: sources.map((name) => join(here, "src", "islands", name)),
    outdir: join(target, "islands"),
  });
  await build({ ...options, entryPoints: [join(here, "src", "page.ts")], outfile: join(target, "page.js") });
}

async function sprite() {
  const lines = (await readFile(join(here, "icons.txt"), "utf8")).split("\n");
  const names = lines.map((line) => line.trim()).filter((line) => line && !line.startsWith("#"));
  const symbols = await Promise.all(
    names.map(async (name) => {
      const filled = name.startsWith("filled/");
      const file = filled ? name : `outline/${name}`;
      const svg = await readFile(join(packages, "@tabler", "icons", "icons", `${file}.svg`), "utf8");
      const paths = [...svg.matchAll(/<path\b[^>]*\bd="([^"]+)"[^>]*>/g)]
        .filter(([, d]) => d !== "M0 0h24v24H0z") // the invisible box that every icon carries
        .map(([, d]) => `<path d="${d}"/>`);
      const paint = filled
        ? 'fill="currentColor"'
        : 'fill="none" stroke="currentColor" stroke-width="1.75" stroke-linecap="round" stroke-linejoin="round"';
      const id = filled ? `${basename(name)}-filled` : name;
      return `<symbol id="${id}" viewBox="0 0 24 24" ${paint}>${paths.join("")}</symbol>`;
    }),
  );
  const svg = `<svg xmlns="http://www.w3.org/2000/svg">\n${symbols.join("\n")}\n</svg>\n`;
  await writeFile(join(target, "icons.svg"), svg);
}

async function vendored() {
  await mkdir(join(target, "vendor"), { recursive: true });
  const htmx = await readFile(join(packages, "htmx.org", "dist", "htmx.min.js"));
  await writeFile(join(target, "vendor", "htmx.min.js"), htmx);
}

async function licences() {
  const shipped = [
    ["htmx.org", "vendor/htmx.min.js"],
    ["@tabler/icons", "icons.svg"],
    ["@fontsource/be-vietnam-pro", "fonts/be-vietnam-pro-400.woff2, fonts/be-vietnam-pro-600.woff2"],
    ["@fontsource/phudu", "fonts/phudu-600.woff2"],
    ["@fontsource/inter", "fonts/num-400.woff2, fonts/num-600.woff2"],
  ];
  const parts = await Promise.all(
    shipped.map(async ([name, files]) => {
      const { version, license } = JSON.parse(await readFile(join(packages, name, "package.json"), "utf8"));
      const text = await readFile(join(packages, name, "LICENSE"), "utf8");
      const title = `${name} ${version} (${license})\nShipped as: ${files}`;
      return `${title}\n\n${text.trim().replaceAll("\r\n", "\n")}\n`;
    }),
  );
  const rule = `\n${"-".repeat(78)}\n\n`;
  await writeFile(join(target, "THIRD-PARTY-LICENSES.txt"), parts.join(rule));
}

await mkdir(target, { recursive: true });
await Promise.all([islands(), sprite(), vendored(), licences()]);
