import type { Chromium } from './chromium.mjs'

export const writePages: (folder: string, lines: string, page: { readonly script: string }) => void
export const serve: (folder: string) => Promise<{ readonly address: string; readonly stop: () => void }>
export const tryPages: (chromium: Chromium, address: string) => Promise<readonly string[]>
