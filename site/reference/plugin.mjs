/** TypeDoc's reference as the site has it: entry points by the name that a program imports, exports in groups. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Comment, CommentTag, Converter, ReflectionKind } from 'typedoc'
import { groups } from './groups.mjs'

const root = fileURLToPath(new URL('../..', import.meta.url))
const entries = [/^index$/, /^entry\/(\w+)$/, /^(laws)$/]
const top = ReflectionKind.SomeModule | ReflectionKind.Project

const nameOf = (module) => {
  const [, name] = entries.map((pattern) => pattern.exec(module)).find((match) => match !== null) ?? []
  return name === undefined ? 'diffeo' : `diffeo/${name}`
}

export const load = (app) => {
  app.converter.on(Converter.EVENT_CREATE_DECLARATION, (context, reflection) => {
    if (!reflection.parent?.kindOf(top) || reflection.kindOf(ReflectionKind.Module)) return
    const [declaration] = context.getSymbolFromReflection(reflection)?.declarations ?? []
    if (declaration === undefined) return
    const file = relative(root, declaration.getSourceFile().fileName).replaceAll('\\', '/')
    const [group = 'Other'] = groups.find(([, pattern]) => pattern.test(file)) ?? []
    reflection.comment ??= new Comment()
    reflection.comment.blockTags.push(new CommentTag('@category', [{ kind: 'text', text: group }]))
  })
  app.converter.on(Converter.EVENT_RESOLVE_BEGIN, ({ project }) => {
    const exported = {}
    for (const module of project.children ?? []) {
      module.name = nameOf(module.name)
      for (const { name } of module.children ?? []) exported[name] = [...(exported[name] ?? []), module.name]
    }
    const folder = fileURLToPath(new URL('../generated', import.meta.url))
    mkdirSync(folder, { recursive: true })
    writeFileSync(`${folder}/exports.json`, JSON.stringify(exported))
  })
  app.converter.on(Converter.EVENT_RESOLVE_END, ({ project }) => {
    for (const parameter of project.getReflectionsByKind(ReflectionKind.Parameter))
      if (parameter.name === '__namedParameters') parameter.name = 'options'
  })
}
