// A secret gets out by `reveal` and by nothing else.
import { format, inspect } from 'node:util'
import { pino } from 'pino'
import t from 'tap'
import { Secret } from '../../healer/alert/secret.ts'

await t.test('however it is printed, it is not shown', async (t) => {
  const secret = new Secret('hunter2')
  const lines: string[] = []
  pino({}, { write: (line: string) => void lines.push(line) }).info({ secret, nested: { list: [secret] } }, `${secret}`)
  const error = new Error(`x ${secret}`, { cause: secret })
  const printed = [
    String(secret),
    `${secret}`,
    JSON.stringify({ secret }),
    inspect(secret, { showHidden: true, depth: 9 }),
    inspect({ nested: { secret } }, { depth: 9 }),
    format('%s %o %O %j', secret, secret, secret, secret),
    inspect(error),
    inspect(structuredClone({ ...secret })),
    Object.keys(secret).join(''),
    ...lines,
  ]
  for (const text of printed) t.notMatch(text, 'hunter2')
  t.match(printed[0], '[secret]')
  t.equal(secret.reveal(), 'hunter2')
})
