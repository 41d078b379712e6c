export interface Opened {
  readonly result?: unknown
  readonly thrown?: string
  readonly console: readonly { readonly level: string; readonly text: string }[]
}

export interface Chromium {
  readonly open: (url: string) => Promise<Opened>
  readonly stop: () => Promise<void>
}

export const findChromium: () => string | undefined
export const startChromium: (binary: string) => Promise<Chromium>
