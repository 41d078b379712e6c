export type Kind = 'open' | 'write' | 'fsync' | 'rename' | 'unlink' | 'chmod' | 'mkdir' | 'close' | 'read'
export declare const hearCalls: (hear: (kind: Kind, path: string) => Error | undefined) => Promise<() => void>
export declare const killedAt: (
  kind: Kind | undefined,
  text: string,
  nth: number,
  signal?: NodeJS.Signals,
) => readonly string[]
export declare const killedUpon: (text: string) => readonly string[]
