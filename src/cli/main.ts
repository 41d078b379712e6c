#!/usr/bin/env node
import { run } from './program.js'
import { crash } from './terminal/console.js'

// what is thrown in a timer or rejected unheard: escaped as all output is, and the locks are released on the way out
process.on('uncaughtException', (thrown) => {
  crash(thrown)
  process.exit()
})

await run(process.argv)
