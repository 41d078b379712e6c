/**
 * Links between files of the repository become links between pages of the site. A file that is no page is linked in the
 * repository, if `DIFFEO_REPOSITORY` has its address; otherwise the link becomes plain text.
 */
import { existsSync, statSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { addressOf } from '../pages.mjs'

const repository = process.env['DIFFEO_REPOSITORY']

const resolve = (page, root, href) => {
  if (/^([a-z]+:|#|\/)/.test(href)) return href
  const [path, anchor] = href.split('#')
  const file = relative(root, join(dirname(page), decodeURI(path))).replaceAll('\\', '/')
  const address = addressOf(file)
  if (address !== undefined) return `/${address}${anchor === undefined ? '' : `#${anchor}`}`
  if (!existsSync(join(root, file))) return href
  return repository === undefined
    ? undefined
    : `${repository}/${statSync(join(root, file)).isDirectory() ? 'tree' : 'blob'}/main/${file}`
}

export const links = (root) => (md) =>
  md.core.ruler.push('diffeo-links', ({ tokens, env }) => {
    const page = env.realPath ?? env.path
    for (const { children } of tokens) {
      const open = []
      for (const token of children ?? []) {
        if (token.type === 'link_open') {
          const href = resolve(page, root, token.attrGet('href'))
          open.push(href)
          if (href === undefined) Object.assign(token, { type: 'text', content: '' })
          else token.attrSet('href', href)
        } else if (token.type === 'link_close' && open.pop() === undefined)
          Object.assign(token, { type: 'text', content: '' })
      }
    }
  })
