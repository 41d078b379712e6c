/** Gives each TypeScript block of a page the lines that it omits, hidden from the reader but not from Twoslash. */
import { blockReader } from '../blocks.mjs'
import { aroundExample } from '../reference/examples.mjs'

/** `test/docstrings.test.ts` compiles the examples of the reference; again here, it takes a third of the time. */
const isChecked = process.env['DIFFEO_SITE_CHECK'] !== undefined

export const blocks = (md) =>
  md.core.ruler.push('diffeo-blocks', ({ tokens, env }) => {
    const read = blockReader()
    const path = (env.realPath ?? env.path ?? '').replaceAll('\\', '/')
    const isReference = path.includes('/generated/reference/')
    tokens.forEach((token, i) => {
      const [, errors] = /^ts( errors)?$/.exec(token.info) ?? []
      if (token.type !== 'fence' || !/^ts( errors)?$/.test(token.info)) return
      const comment = tokens[i - 1]?.type === 'html_block' ? tokens[i - 1].content : undefined
      const { before, after } = isReference
        ? aroundExample(token.content, path)
        : { before: read(token.content, comment, errors !== undefined), after: '' }
      if (before === undefined) return
      token.info = 'ts twoslash'
      token.content = [
        errors === undefined ? '' : '// @noErrorValidation\n',
        isReference && !isChecked ? '// @noErrors\n' : '',
        before === '' ? '' : `${before}\n// ---cut---\n`,
        token.content,
        after === '' ? '' : `// ---cut-after---\n${after}\n`,
      ].join('')
    })
  })
