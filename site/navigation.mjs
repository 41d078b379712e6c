/** The menus of the site. */
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { examples } from './examples.mjs'

const page = (text, link) => ({ text, link: `/${link}` })
export const navigation = [
  {
    text: 'Learn',
    items: [
      page('Overview', 'overview'),
      page('Density of a table', 'tutorials/table'),
      page('Anomalies', 'tutorials/anomalies'),
      page('A posterior from a simulator', 'tutorials/posterior'),
      page('Synthetic data', 'tutorials/synthetic-data'),
      page('The mathematics', 'explanation/mathematics'),
      ...Object.entries(examples).map(([name, text]) => page(text, `examples/${name}`)),
    ],
  },
  {
    text: 'How to',
    items: [
      page('Install diffeo', 'how-to/install'),
      page('Train from the command line', 'cli'),
      page('Use data', 'data'),
      page('Condition a flow, change the objective', 'conditional'),
      page('Use your own loss', 'how-to/custom-loss'),
      page('Freeze parameters', 'how-to/freeze'),
      page('Save and load', 'how-to/save-and-load'),
      page('Export to ONNX', 'export'),
      page('Choose an engine', 'engines/choose'),
      page('Install an engine', 'engines/install'),
      page('Use a browser', 'browsers'),
      page('Write a bijector', 'how-to/own-bijector'),
      page('Test a bijector', 'laws'),
      page('Contribute', 'contributing'),
    ],
  },
  {
    text: 'Explanation',
    items: [
      page('Questions and answers', 'faq'),
      page('Catalogue of flows', 'catalogue'),
      page('Bits per dimension', 'bits-per-dim'),
      page('Beside zuko and flowjax', 'explanation/compared'),
      page('Memory', 'memory'),
      page('How engines work', 'engines/how-it-works'),
      page('Programs', 'programs'),
      page('Architecture', 'architecture'),
      page('Results', 'results'),
      page('Measurements', 'measurements'),
    ],
  },
  {
    text: 'Reference',
    items: [
      page('API', 'reference/'),
      page('Commands', 'command-reference'),
      page('Dependencies', 'dependencies'),
      page('Changelog', 'changelog'),
    ],
  },
]

const anchorOf = (title) => title.toLowerCase().replace(/[^a-z0-9]+/g, '-')

const entryMenu = ({ title, path, children }) => {
  const link = `/reference/${path.replace(/index\.md$/, '')}`
  const groups = children.filter((child) => child.path === undefined)
  const items = groups.map((group) => ({ text: group.title, link: `${link}#${anchorOf(group.title)}` }))
  return { text: title, link, items, collapsed: title !== 'diffeo' }
}

/** The menu of the API, by entry point and group, which TypeDoc writes. */
export const referenceNavigation = () => {
  const file = fileURLToPath(new URL('generated/navigation.json', import.meta.url))
  if (!existsSync(file)) return []
  const [main] = JSON.parse(readFileSync(file, 'utf8'))
  // TypeDoc puts `diffeo/data` inside `diffeo`
  const entries = main.children.filter(({ path }) => path !== undefined)
  return [main, ...entries.map((entry) => ({ ...entry, title: `diffeo/${entry.title}` }))].map(entryMenu)
}
