/** The site: the documents of the repository where they are, and the generated pages of `site/generated`. */
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { transformerTwoslash } from '@shikijs/vitepress-twoslash'
import { createFileSystemTypesCache } from '@shikijs/vitepress-twoslash/cache-fs'
import type { Rollup } from 'vite'
import { defineConfig } from 'vitepress'
import { blocks } from '../markdown/blocks.mjs'
import { links } from '../markdown/links.mjs'
import { math } from '../markdown/math.mjs'
import { navigation, referenceNavigation } from '../navigation.mjs'
import { excluded, rewrite } from '../pages.mjs'

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url))
const root = at('../..').replace(/.$/, '')
const built = at('../../dist/src')
const { description, version } = JSON.parse(readFileSync(at('../../package.json'), 'utf8'))

/** Pages lie outside the folder that has the packages which they import. */
const packages = {
  name: 'diffeo-packages',
  enforce: 'pre' as const,
  async resolveId(
    this: Rollup.PluginContext,
    source: string,
    importer: string | undefined,
    options: { readonly ssr?: boolean },
  ) {
    if (!/^vue(\/|$)/.test(source) || importer === undefined) return
    if (options.ssr) return { id: source, external: true }
    return importer.startsWith(at('..')) ? undefined : this.resolve(source, at('../index.md'), { skipSelf: true })
  },
}

/** Names the declarations that code is compiled against: what the compiler says of it holds only for them. */
const declarations = (): string => {
  const hash = createHash('sha256')
  for (const name of readdirSync(at('../../dist'), { recursive: true, encoding: 'utf8' }).sort())
    if (/^(src|types)\b.*\.d\.ts$/.test(name)) hash.update(readFileSync(at(`../../dist/${name}`)))
  return hash.digest('hex').slice(0, 16)
}

/** Without code: it would be compiled and coloured a second time. */
const renderForSearch = (text: string, env: object, md: { render: (text: string, env: object) => string }) =>
  md.render(text.replace(/^```.*?^```$/gms, ''), env)

export default defineConfig({
  title: 'diffeo',
  description,
  lang: 'en',
  base: process.env['DIFFEO_SITE_BASE'] ?? '/',
  cleanUrls: true,
  metaChunk: true,
  srcDir: '..',
  srcExclude: [...excluded],
  outDir: 'dist',
  cacheDir: 'node_modules/.vitepress',
  rewrites: rewrite,
  head: [
    [
      'link',
      {
        rel: 'icon',
        href: 'data:image/svg+xml,<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><path d="M2 12C5 0 11 16 14 4" fill="none" stroke="%233b6fd4" stroke-width="2.5"/></svg>',
      },
    ],
  ],
  vite: {
    publicDir: at('../generated/public'),
    plugins: [packages],
    build: { chunkSizeWarningLimit: 4000 },
    server: { fs: { allow: [root] } },
  },
  router: { prefetchLinks: false },
  markdown: {
    theme: { light: 'github-light-high-contrast', dark: 'github-dark-high-contrast' },
    languages: ['ts', 'js', 'sh', 'json', 'python', 'yaml', 'html'],
    config: (md) => {
      math(md)
      blocks(md)
      links(root)(md)
    },
    codeTransformers: [
      transformerTwoslash({
        throws: true,
        typesCache: createFileSystemTypesCache({ dir: at(`../node_modules/.cache/twoslash/${declarations()}`) }),
        twoslashOptions: {
          vfsRoot: root,
          compilerOptions: {
            target: 9,
            module: 199,
            moduleResolution: 99,
            moduleDetection: 3,
            lib: ['lib.es2023.d.ts', 'lib.esnext.disposable.d.ts'],
            strict: true,
            noUncheckedIndexedAccess: true,
            skipLibCheck: true,
            types: ['node'],
            paths: {
              diffeo: [`${built}/index.d.ts`],
              'diffeo/laws': [`${built}/laws/index.d.ts`],
              'diffeo/*': [`${built}/entry/*.d.ts`],
            },
          },
        },
      }),
    ],
  },
  themeConfig: {
    nav: [{ text: 'Playground', link: '/playground' }, ...navigation, { text: version, link: '/changelog' }],
    sidebar: { '/reference/': referenceNavigation(), '/': navigation },
    search: { provider: 'local', options: { _render: renderForSearch } },
    outline: { level: [2, 3] },
    docFooter: { prev: false, next: false },
    footer: { message: 'MIT licence' },
  },
})
