/**
 * Protocol buffers by their field numbers: the models of ONNX Runtime and the graphs of TensorFlow are such messages.
 *
 * @module
 */
import protobuf from 'protobufjs/light.js'

type Rule = 'repeated'
type Field = { readonly type: string; readonly id: number; readonly rule?: Rule; readonly keyType?: string }

export const field = (type: string, id: number): Field => ({ type, id })
export const many = (type: string, id: number): Field => ({ type, id, rule: 'repeated' })
/** A map; its keys are of `keyType`. */
export const mapping = (keyType: string, type: string, id: number): Field => ({ keyType, type, id })

/** Each message's fields. */
export type Messages = Readonly<Record<string, Readonly<Record<string, Field>>>>

/** What writes one of these messages. */
export const encoder =
  (messages: Messages) =>
  (name: string): ((message: object) => Uint8Array) => {
    const nested = Object.fromEntries(Object.entries(messages).map(([key, fields]) => [key, { fields }]))
    const type = protobuf.Root.fromJSON({ nested }).lookupType(name)
    return (message) => type.encode(message).finish()
  }
