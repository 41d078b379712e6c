/**
 * Language servers of editors as promises: tsserver of TypeScript 5 and 6, and the LSP server of TypeScript 7. Both
 * write messages with a `Content-Length` header. tsserver reads lines; the LSP server reads messages with the header.
 */
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'

const require = createRequire(import.meta.url)
const packageOf = (name) => dirname(require.resolve(`${name}/package.json`))

/** A server process: `send` writes a message, `until` resolves with the first later message that passes a test. */
const startServer = (args, frame) => {
  const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'ignore'] })
  let buffer = Buffer.alloc(0)
  let waiting = []
  let reply = () => undefined
  child.stdout.on('data', (chunk) => {
    buffer = Buffer.concat([buffer, chunk])
    for (;;) {
      const head = buffer.indexOf('\r\n\r\n')
      const length = Number(/Content-Length: (\d+)/.exec(buffer.subarray(0, Math.max(head, 0)).toString())?.[1])
      if (head < 0 || buffer.length < head + 4 + length) return
      const message = JSON.parse(buffer.subarray(head + 4, head + 4 + length).toString())
      buffer = buffer.subarray(head + 4 + length)
      const found = waiting.find(({ is }) => is(message))
      waiting = waiting.filter((w) => w !== found)
      found?.resolve(message)
      if (message.method !== undefined && message.id !== undefined) reply(message)
    }
  })
  const died = new Promise((_, reject) => child.once('exit', (code) => reject(new Error(`${args[0]} exited: ${code}`))))
  died.catch(() => undefined)
  return {
    send: (message) => child.stdin.write(frame(JSON.stringify(message))),
    until: (is) => Promise.race([died, new Promise((resolve) => waiting.push({ is, resolve }))]),
    /** Sets the handler of requests from the server. */
    onRequest: (handler) => {
      reply = handler
    },
    close: () => child.kill(),
  }
}

const tsserver = (name) => {
  const { send, until, close } = startServer(
    [join(packageOf(name), 'lib', 'tsserver.js'), '--disableAutomaticTypingAcquisition'],
    (json) => `${json}\n`,
  )
  let seq = 0
  const request = (command, args) => send({ seq: ++seq, type: 'request', command, arguments: args })
  const responseTo = (command, args) => {
    request(command, args)
    const sent = seq
    return until((m) => m.request_seq === sent && m.type === 'response')
  }
  const diagnose = async (file) => {
    const done = until((m) => m.event === 'semanticDiag')
    request('geterr', { files: [file], delay: 0 })
    return (await done).body.diagnostics.map(({ text }) => text)
  }
  return {
    open: async (file) => request('open', { file, fileContent: readFileSync(file, 'utf8') }),
    /** `line` and `offset` count from 1. */
    hover: async (file, line, offset) => {
      const { body, message } = await responseTo('quickinfo', { file, line, offset })
      return body?.displayString ?? message
    },
    diagnose,
    edit: async (file, line, text) => {
      const length = readFileSync(file, 'utf8').split('\n')[line - 1].length
      request('change', { file, line, offset: 1, endLine: line, endOffset: length + 1, insertString: text })
      return diagnose(file)
    },
    close,
  }
}

const languageServer = async (name) => {
  const frame = (json) => `Content-Length: ${Buffer.byteLength(json)}\r\n\r\n${json}`
  const { send, until, onRequest, close } = startServer(
    [join(packageOf(name), 'bin', 'tsc'), '--lsp', '--stdio'],
    frame,
  )
  let requests = 0
  const notify = (method, params) => send({ jsonrpc: '2.0', method, params })
  const request = async (method, params) => {
    const id = ++requests
    send({ jsonrpc: '2.0', id, method, params })
    const { result, error } = await until((m) => m.id === id && m.method === undefined)
    if (error !== undefined) throw new Error(`${name}: ${error.message}`)
    return result
  }
  const document = (file) => ({ textDocument: { uri: pathToFileURL(file).href } })
  onRequest((m) => send({ jsonrpc: '2.0', id: m.id, result: m.params?.items?.map(() => null) ?? null }))
  const capabilities = { textDocument: { diagnostic: {} } }
  await request('initialize', { processId: process.pid, rootUri: null, capabilities })
  notify('initialized', {})
  let version = 1
  const diagnose = async (file) =>
    (await request('textDocument/diagnostic', document(file))).items.map(({ message }) => message)
  return {
    open: async (file) => {
      const text = readFileSync(file, 'utf8')
      const { uri } = document(file).textDocument
      notify('textDocument/didOpen', { textDocument: { uri, languageId: 'typescript', version, text } })
    },
    hover: async (file, line, offset) => {
      const position = { line: line - 1, character: offset - 1 }
      const { contents } = await request('textDocument/hover', { ...document(file), position })
      return (contents.value ?? contents).replace(/```\w*\n?/g, '').trim()
    },
    diagnose,
    edit: async (file, line, text) => {
      const lines = readFileSync(file, 'utf8').split('\n')
      const whole = lines.with(line - 1, text).join('\n')
      const { uri } = document(file).textDocument
      notify('textDocument/didChange', { textDocument: { uri, version: ++version }, contentChanges: [{ text: whole }] })
      return diagnose(file)
    },
    close,
  }
}

/** The servers, by version of TypeScript. */
export const editors = {
  5.9: () => tsserver('typescript-5.9'),
  '6.0': () => tsserver('typescript'),
  '7.0': () => languageServer('typescript-7'),
}
