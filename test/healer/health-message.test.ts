// The two messages of gRPC's health service, byte for byte.
import fc from 'fast-check'
import t from 'tap'
import { decodeHealthAnswer, encodeHealthRequest } from '../../healer/probe/health-message.ts'

const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex')
const framed = (message: string) => {
  const bytes = hex(message)
  return Buffer.concat([hex('00000000'), Buffer.from([bytes.length]), bytes])
}

await t.test('a request', async (t) => {
  t.same(encodeHealthRequest(''), hex('00 00000000'))
  t.same(encodeHealthRequest('ab'), hex('00 00000004 0a 02 6162'))
  const long = 'é'.repeat(100)
  t.same(encodeHealthRequest(long), Buffer.concat([hex('00 000000cb 0a c801'), Buffer.from(long)]), 'its length in bytes, in two')
})

for (const [what, message, status] of [
  ['nothing, for zero is not sent', '', 'UNKNOWN'],
  ['SERVING', '08 01', 'SERVING'],
  ['NOT_SERVING', '08 02', 'NOT_SERVING'],
  ['SERVICE_UNKNOWN', '08 03', 'SERVICE_UNKNOWN'],
  ['a number in more bytes than it needs', '08 81 00', 'SERVING'],
  ['a number that nobody has named', '08 ac 02', '300'],
  ['one said twice, the last of which counts', '08 01 08 02', 'NOT_SERVING'],
  ['one between fields that are not known', '12 01 08 19 0808080808080808 08 01 25 08080808 30 05', 'SERVING'],
  ['the field as another type, which is not it', '0a 01 08', 'UNKNOWN'],
  ['a number without an end', '08 81', undefined],
  ['a number beyond all bounds', '08 ff ff ff ff ff ff ff ff ff 01', undefined],
  ['a field longer than the message', '08 01 12 05 00', undefined],
  ['a type that there is not', '0f 01', undefined],
] as const) {
  await t.test(`an answer with ${what}`, async (t) => {
    t.equal(decodeHealthAnswer(framed(message)), status)
  })
}

await t.test('a frame that is short, long, or compressed is none', async (t) => {
  for (const frame of ['', '00 0000', '00 00000003 08 01', '00 00000001 08 01', '01 00000002 08 01'])
    t.equal(decodeHealthAnswer(hex(frame)), undefined, frame)
})

await t.test('no bytes make it throw', async (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      const status = decodeHealthAnswer(framed(Buffer.from(bytes).toString('hex')))
      return status === undefined || status.length > 0
    }),
  )
  t.ok(true)
})
