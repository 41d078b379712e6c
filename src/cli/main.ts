#!/usr/bin/env node
import { run } from './program.js'
import { crash } from './terminal/console.js'

// errors of timers and unhandled rejections: printed with escapes, as all output is; exiting releases the locks
process.on('uncaughtException', (thrown) => {
  crash(thrown)
  process.exit()
})

await run(process.argv)
