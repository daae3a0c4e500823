// Carrying out a restart: looked at once more before, looked up after, and every way it can end.
import t from 'tap'
import { DockerError, type RestartAnswer } from '../../healer/docker/docker.ts'
import { carryOutRestart } from '../../healer/loop/restart.ts'
import { createFakeClock } from './support/fake-clock.ts'
import { createFakeDocker } from './support/fake-docker.ts'

function setUp() {
  const clock = createFakeClock()
  const docker = createFakeDocker(clock)
  const web = docker.add('web')
  const order = { id: web.summary.id, startedAt: web.detail.startedAt, failedToStart: false }
  return { clock, docker, web, order, carryOut: (change = {}) => carryOutRestart(docker, clock, { ...order, ...change }) }
}

await t.test('a restart that was made is reported with its new run', async (t) => {
  const { carryOut, docker, web } = setUp()
  t.match(await carryOut(), { outcome: 'restarted', run: { startedAt: web.detail.startedAt } })
  t.same(docker.restarts, ['web'])
})

for (const [what, change, why] of [
  ['was started anew meanwhile', { startedAt: 'another' }, 'gone'],
  ['is paused', { status: 'paused' }, 'gone'],
  ['was stopped', { status: 'exited' }, 'gone'],
  ['was started with --rm', { autoRemove: true }, 'refused'],
] as const) {
  await t.test(`a container that ${what} is left alone`, async (t) => {
    const { carryOut, docker, web } = setUp()
    web.detail = { ...web.detail, ...change }
    t.match(await carryOut(), { outcome: 'waits', why })
    t.same(docker.restarts, [])
  })
}

await t.test('one that an earlier restart left exited is restarted', async (t) => {
  const { carryOut, docker, web } = setUp()
  web.detail = { ...web.detail, status: 'exited' }
  t.match(await carryOut({ failedToStart: true }), { outcome: 'restarted' })
  t.same(docker.restarts, ['web'])
})

await t.test('one whose network provider does not run is left alone', async (t) => {
  const { carryOut, docker, web } = setUp()
  const vpn = docker.add('vpn', undefined, { detail: { status: 'exited' } })
  web.detail = { ...web.detail, networkMode: `container:${vpn.summary.id}` }
  t.match(await carryOut(), { outcome: 'waits', why: 'gone', message: 'the container whose network it uses is exited' })
  vpn.detail = { ...vpn.detail, status: 'running' }
  t.match(await carryOut(), { outcome: 'restarted' })
})

await t.test('a container that is gone, and a Docker that cannot be asked, are not attempts', async (t) => {
  const { carryOut, docker, web } = setUp()
  docker.failure = new DockerError('no proxy')
  t.match(await carryOut(), { outcome: 'waits', why: 'unreachable', message: 'no proxy' })
  docker.failure = undefined
  docker.vanished.add(web.summary.id)
  t.match(await carryOut(), { outcome: 'waits', why: 'gone' })
  t.same(docker.restarts, [])
})

const answers: [RestartAnswer, object][] = [
  [{ outcome: 'gone' }, { outcome: 'waits', why: 'gone' }],
  [
    { outcome: 'budget', message: 'spent' },
    { outcome: 'waits', why: 'budget', message: 'spent' },
  ],
  [
    { outcome: 'conflict', message: 'is exited' },
    { outcome: 'waits', why: 'gone', message: 'is exited' },
  ],
  [
    { outcome: 'refused', message: 'no' },
    { outcome: 'waits', why: 'refused' },
  ],
  [
    { outcome: 'unreachable', message: 'no' },
    { outcome: 'waits', why: 'unreachable' },
  ],
  [
    { outcome: 'failed', message: 'no' },
    { outcome: 'failed', message: 'no', status: 'running' },
  ],
]
for (const [answer, expected] of answers) {
  await t.test(`the answer “${answer.outcome}” is taken for what it is`, async (t) => {
    const { carryOut, docker } = setUp()
    docker.onRestart = () => answer
    t.match(await carryOut(), expected)
  })
}

await t.test('a restart whose answer was lost is looked up, not presumed failed', async (t) => {
  const { carryOut, docker } = setUp()
  docker.onRestart = (container) => {
    docker.startAnew(container)
    return { outcome: 'unanswered', message: 'timeout' }
  }
  t.match(await carryOut(), { outcome: 'restarted' })
})

await t.test('a restart whose answer was lost, where Docker cannot be asked either, may have been made', async (t) => {
  const { carryOut, docker } = setUp()
  docker.onRestart = () => {
    docker.failure = new DockerError('no proxy')
    return { outcome: 'unanswered', message: 'socket hang up' }
  }
  t.match(await carryOut(), { outcome: 'waits', why: 'unreachable', message: 'socket hang up', mayBeDone: true })
})

await t.test('a restart whose answer was lost and that was not made is a failure', async (t) => {
  const { carryOut, docker } = setUp()
  docker.onRestart = () => ({ outcome: 'unanswered', message: 'timeout' })
  t.match(await carryOut(), { outcome: 'failed', message: 'no answer came (timeout), and it has not been started anew' })
})
