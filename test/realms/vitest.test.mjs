/** In a realm of its own, as vitest's `vmThreads` runs tests. */
import { expect, it } from 'vitest'
import { declare } from './realm-tests.mjs'

declare({ it, expect })
