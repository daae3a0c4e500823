// A few at a time, in the order in which they came, and nobody waits for ever.
import t from 'tap'
import { createTurns } from '../../proxy/serve/turns.ts'

t.test('so many have their turn at once; the next begins when one ends, in order', async (t) => {
  const turns = createTurns(2, 60_000)
  const begun: string[] = []
  const take = async (name: string) => {
    const end = await turns.take()
    begun.push(name)
    return end
  }
  const [first, second, third, fourth] = ['a', 'b', 'c', 'd'].map(take)
  const endFirst = await first
  await second
  t.same(begun, ['a', 'b'])
  endFirst?.()
  endFirst?.()
  const endThird = await third
  t.same(begun, ['a', 'b', 'c'], 'ending a turn twice begins one other')
  endThird?.()
  await fourth
  t.same(begun, ['a', 'b', 'c', 'd'])
})

t.test('one that waits too long goes without, and takes nobody’s turn', async (t) => {
  const turns = createTurns(1, 20)
  const end = await turns.take()
  t.equal(await turns.take(), undefined)
  const patient = createTurns(1, 60_000)
  const held = await patient.take()
  const waiting = patient.take()
  held?.()
  t.type(await waiting, 'function')
  end?.()
  t.type(await turns.take(), 'function', 'the turn that was given up is free')
})
