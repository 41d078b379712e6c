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
type Messages = Readonly<Record<string, Readonly<Record<string, Field>>>>

/**
 * What writes one of these messages. Zeros are left out, but for messages that are a choice of one field: there it says
 * which.
 */
export const encoder =
  (messages: Messages, choices: readonly string[] = []) =>
  (name: string): ((message: object) => Uint8Array) => {
    const nested = Object.fromEntries(
      Object.entries(messages).map(([key, fields]) => [
        key,
        { fields, ...(choices.includes(key) ? { oneofs: { value: { oneof: Object.keys(fields) } } } : {}) },
      ]),
    )
    const type = protobuf.Root.fromJSON({ nested }).lookupType(name)
    return (message) => type.encode(message).finish()
  }
