export interface Block {
  readonly line: number
  readonly code: string
  readonly program: string | undefined
  readonly isWrong: boolean
}
export function blocksOf(page: string): readonly Block[]
