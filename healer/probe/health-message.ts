// The two messages of gRPC's health service, grpc.health.v1: a request that names a service, an answer with its status.
// https://github.com/grpc/grpc/blob/master/doc/health-checking.md; encoded as Protocol Buffers, framed as gRPC over HTTP/2.

export const SERVING_STATUSES = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'] as const

/** A frame's head: whether it is compressed, and the length of the message in four bytes. */
const HEAD_BYTES = 5

/** The framed `HealthCheckRequest` for `service`; empty: the server as a whole. */
export function encodeHealthRequest(service: string): Buffer {
  const name = Buffer.from(service)
  const message =
    name.length === 0 ? name : Buffer.concat([Buffer.from([fieldKey(1, LENGTH_DELIMITED)]), varint(name.length), name])
  const head = Buffer.alloc(HEAD_BYTES)
  head.writeUInt32BE(message.length, 1)
  return Buffer.concat([head, message])
}

/** The status in a framed `HealthCheckResponse`, by its name or number; `undefined`: these bytes are not one. */
export function decodeHealthAnswer(frame: Buffer): string | undefined {
  if (frame.length < HEAD_BYTES || frame[0] !== 0 || frame.readUInt32BE(1) !== frame.length - HEAD_BYTES) return undefined
  const status = readStatus(frame.subarray(HEAD_BYTES))
  return status === undefined ? undefined : (SERVING_STATUSES[status] ?? `${status}`)
}

const VARINT = 0
const FIXED_64 = 1
const LENGTH_DELIMITED = 2
const FIXED_32 = 5

const fieldKey = (field: number, wireType: number) => field * 8 + wireType

function varint(value: number): Buffer {
  const bytes: number[] = []
  let rest = value
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) + 0x80)
  return Buffer.from([...bytes, rest])
}

/** Field 1, the last one where it comes more than once, zero where it is absent. Fields that are not known are skipped. */
function readStatus(message: Buffer): number | undefined {
  let at = 0
  let status = 0
  const readVarint = (): number | undefined => {
    let value = 0
    // Beyond eight bytes it would be more than a number holds; nothing here is that large.
    for (let i = 0; i < 8; i += 1) {
      const byte = message[at]
      if (byte === undefined) return undefined
      at += 1
      value += (byte % 0x80) * 0x80 ** i
      if (byte < 0x80) return value
    }
    return undefined
  }
  while (at < message.length) {
    const key = readVarint()
    if (key === undefined) return undefined
    const wireType = key % 8
    const value = wireType === VARINT || wireType === LENGTH_DELIMITED ? readVarint() : 0
    if (value === undefined) return undefined
    if (key === fieldKey(1, VARINT)) status = value
    else if (wireType === LENGTH_DELIMITED) at += value
    else if (wireType === FIXED_64) at += 8
    else if (wireType === FIXED_32) at += 4
    else if (wireType !== VARINT) return undefined
  }
  return at === message.length ? status : undefined
}
