/** Equations, written as on GitHub: blocks with ```` ```math ````, and $`…`$ within a line. */
import katex from 'katex'

const render = (tex, displayMode) => katex.renderToString(tex, { displayMode, throwOnError: true, strict: 'error' })

export const math = (md) => {
  const { fence } = md.renderer.rules
  md.renderer.rules.fence = (tokens, i, ...rest) =>
    tokens[i].info === 'math'
      ? `<div class="equation" tabindex="0" v-pre>${render(tokens[i].content, true)}</div>`
      : fence(tokens, i, ...rest)
  md.inline.ruler.before('escape', 'math', (state, silent) => {
    const [all, tex] = /^\$`([^`]+)`\$/.exec(state.src.slice(state.pos)) ?? []
    if (all === undefined) return false
    if (!silent) state.push('math', '', 0).content = tex
    state.pos += all.length
    return true
  })
  md.renderer.rules.math = (tokens, i) => `<span v-pre>${render(tokens[i].content, false)}</span>`
}
