/**
 * A report as one self-contained HTML file: pictures are embedded, and there is no script, font or network access.
 *
 * @module
 */

/** A picture: the text of an SVG file or the bytes of a PNG file. */
export interface Figure {
  readonly caption: string
  readonly image: string | Uint8Array
  /** File name without extension, if the picture is also saved as a file. */
  readonly name?: string
}

export interface Section {
  readonly title: string
  readonly text?: string
  /** Rows of cells; the first has the names. */
  readonly table?: readonly (readonly string[])[]
  readonly figures: readonly Figure[]
}

/** A page: the run and its results. */
interface Page {
  readonly title: string
  /** Names and values: the command, the seed, the engine, the figures. */
  readonly facts: readonly (readonly [name: string, value: string])[]
  readonly sections: readonly Section[]
}

const escapes: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }
const text = (plain: string): string => plain.replace(/[&<>"]/g, (c) => escapes[c]!)

const style = `
body { font: 15px/1.5 system-ui, sans-serif; color: #222; max-width: 62rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.5rem } h2 { font-size: 1.15rem; margin-top: 2rem; border-bottom: 1px solid #ddd }
th { text-align: left; padding-right: 1.5rem; font-weight: normal; color: #666; vertical-align: top; white-space: nowrap }
td { font-family: ui-monospace, monospace; font-size: 13px; overflow-wrap: anywhere }
.figures { display: flex; flex-wrap: wrap; gap: 1.5rem; align-items: flex-end } figure { margin: 0; max-width: 100% }
img { max-width: min(100%, 30rem); image-rendering: pixelated } .svg img { max-width: 100%; image-rendering: auto }
td + td, th + th { padding-right: 1rem } .table { overflow-x: auto }
figcaption { color: #666; font-size: 13px; max-width: 40rem }`

const figure = ({ caption, image }: Figure): string => {
  const vector = typeof image === 'string'
  const source = `data:image/${vector ? 'svg+xml' : 'png'};base64,${Buffer.from(image).toString('base64')}`
  const alt = text(caption)
  return `<figure${vector ? ' class="svg"' : ''}><img src="${source}" alt="${alt}"><figcaption>${alt}</figcaption></figure>`
}

const cells = ([header = [], ...rows]: readonly (readonly string[])[]): string => {
  const row = (tag: string, list: readonly string[]) =>
    `<tr>${list.map((cell) => `<${tag}>${text(cell)}</${tag}>`).join('')}</tr>`
  return `<div class="table"><table>${[row('th', header), ...rows.map((list) => row('td', list))].join('\n')}</table></div>`
}

/**
 * Returns the HTML of a page. All texts are escaped.
 *
 * @example html({ title: 'mnist', facts: [['seed', '0']], sections: [] })
 */
export const html = ({ title, facts, sections }: Page): string => `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${text(title)}</title>
<style>${style}</style></head>
<body>
<h1>${text(title)}</h1>
<table>${facts.map(([name, value]) => `<tr><th>${text(name)}</th><td>${text(value)}</td></tr>`).join('\n')}</table>
${sections
  .map(
    (s) => `<h2>${text(s.title)}</h2>
${s.text === undefined ? '' : `<p>${text(s.text)}</p>`}
${s.table === undefined ? '' : cells(s.table)}
<div class="figures">${s.figures.map(figure).join('\n')}</div>`,
  )
  .join('\n')}
</body>
</html>
`
