// `test-alert`: each receiver is sent one alert and its end, and what it answered is said.
import t from 'tap'
import type { Alert } from '../../healer/alert/alert.ts'
import type { Delivery } from '../../healer/alert/deliver.ts'
import { renderTested, testReceivers } from '../../healer/alert/test-alert.ts'
import { plainReceiver } from './support/telling.ts'

const NOW = 1_767_225_600_000

await t.test('each is told, and told that it is over, under one key', async (t) => {
  const sent: Alert[] = []
  const deliver = async ({ body }: { readonly body: string }): Promise<Delivery> => {
    sent.push(...JSON.parse(body))
    return { outcome: 'delivered', answer: 'it answered 200: ok' }
  }
  const tested = await testReceivers([plainReceiver('ops', { events: [] }), plainReceiver('pager')], deliver, NOW)
  t.same(
    sent.map(({ resolved }) => resolved),
    [false, false, true, true],
    'whatever each wants to hear otherwise',
  )
  t.equal(new Set(sent.map(({ incident }) => incident)).size, 1)
  t.equal(renderTested(tested), 'ops    told: it answered 200: ok\npager  told: it answered 200: ok\n')
})

await t.test('one that does not take it is named, and nothing more is sent to it', async (t) => {
  let tries = 0
  const deliver = async (): Promise<Delivery> => {
    tries += 1
    return { outcome: 'never', answer: 'it answered 404: no_service' }
  }
  const tested = await testReceivers([plainReceiver('ops')], deliver, NOW)
  t.equal(tries, 1)
  t.equal(renderTested(tested), 'ops  NOT told: it answered 404: no_service\n')
})

await t.test('without a receiver it says where to read how to set one', async (t) => {
  t.match(renderTested([]), 'docs/alerts.md')
})
