// The whole of it once, on the Engine: somebody has taken over the healer, and tries everything from where it stands. What counts is what
// the Engine did, in what state its containers are, and what the audit log says. docs/threat-model.md has what came of each.
import { join } from 'node:path'
import t from 'tap'
import { CATALOGUE } from '../../proxy/request/catalogue.ts'
import { REFUSAL_RULES } from '../../proxy/request/refusal.ts'
import { bringUp, docker, inspect, printFile, waitFor } from './support/composition.ts'
import { followEngine } from './support/engine-events.ts'
import { everyOperation, hostileRequests, MADE } from './support/hostile-requests.ts'
import { ASK_AT_ONCE, BREAK_OUT, EXHAUST, READ_METRICS, SEND, takeOver } from './support/taken-over.ts'

/** The same proxy serves somebody else too, on a volume of his own. */
const OTHER_CLIENT = `
services:
  proxy:
    environment:
      POSTERN_SERVE: /policies/healer.yaml@unix:///run/postern/healer.sock /policies/readonly.yaml@unix:///run/postern/readonly/docker.sock
    volumes: ["readonly:/run/postern/readonly"]
volumes:
  readonly:
`
const ASK_AS_OTHER = `require('http').get({ socketPath: '/run/postern/readonly/docker.sock', path: '/containers/json' },
  (response) => response.resume().on('end', () => console.log(response.statusCode)))`

const SECRET = 'hunter2-of-somebody'
const OPTED_IN = ['hostile-a', 'hostile-b', 'hostile-c', 'hostile-d', 'hostile-e']
const OTHERS = ['hostile-hidden', 'hostile-stopped', 'hostile-insider', 'hostile-moving']
const WITNESS = 'hostile-witness'
/** While it was held down it was asked so often, and answered each time. */
const ASKED_MEANWHILE = 6

await t.test('a healer that was taken over', { timeout: 580_000 }, async (t) => {
  const override = join(t.testdir({ 'other.yaml': OTHER_CLIENT }), 'other.yaml')
  // After the composition, which does not know of it when it is taken down.
  t.teardown(() => docker('volume', 'rm', '--force', 'postern_readonly'))
  const stack = await bringUp(t, ['proxy'], {}, override)
  const attacker = await takeOver(t, stack)
  const proxy = (await stack.compose('ps', '-q', 'proxy')).trim()
  const inProxy = (...command: readonly string[]) => docker('exec', '--user', '10001:10001', proxy, ...command)
  t.teardown(() => docker('rm', '--force', ...OPTED_IN, ...OTHERS, WITNESS))
  const start = (name: string, ...options: readonly string[]) => {
    const [image, ...command] = ['node:24-bookworm-slim', 'sleep', 'infinity']
    const told = ['--env', `PASSWORD=${SECRET}`, '--label', `secret=${SECRET}`]
    return docker(
      'run',
      '--detach',
      '--init',
      '--network',
      'none',
      '--name',
      name,
      ...told,
      ...options,
      image as string,
      ...command,
    )
  }
  await Promise.all([
    ...OPTED_IN.map((name) => start(name, '--label', 'autoheal=true')),
    start(WITNESS),
    // Of somebody else's project, who did not opt in.
    start('hostile-hidden', '--label', 'com.docker.compose.project=someones', '--label', 'monitored=True'),
    start('hostile-moving', '--label', 'com.docker.compose.project=someones'),
    start('hostile-stopped', '--label', 'monitored=true'),
    start('hostile-insider', '--label', 'monitored=true', '--volume', 'postern_sockets:/elsewhere:ro'),
  ])
  await docker('stop', '--time', '0', 'hostile-stopped')
  const prey = { seen: 'hostile-a', stopped: 'hostile-stopped', hidden: 'hostile-hidden', proxy }
  const ours = [...OPTED_IN, ...OTHERS]
  const statesOf = (names: readonly string[]) =>
    Promise.all(names.map(async (name) => [name, (await inspect(name)).State.Status, (await inspect(name)).State.StartedAt]))
  const before = await statesOf([...ours, proxy])
  const events = await followEngine(t, WITNESS)
  /** What the Engine did to our containers, or made; but for what is run in the proxy, its health check for one. */
  const done = async () =>
    (await events.sofar()).flatMap(({ Type, Action, Actor }) => {
      const name = Actor.Attributes.name ?? Actor.ID
      const isOurs = ours.includes(name) || Actor.ID === proxy || JSON.stringify(Actor).includes(MADE)
      return isOurs && !(Actor.ID === proxy && Action.startsWith('exec_')) ? [`${Type} ${Action} ${name}`] : []
    })
  let answered = ''
  let sent = 0
  const send = async (requests: readonly string[]) => {
    const answers = (await attacker.run(SEND, requests)) as string[]
    answered += answers.join('\n')
    sent += requests.length
    return answers
  }

  await t.test('each operation that its policy does not name, about each container, with what would be root', async (t) => {
    const answers = await send(everyOperation(prey))
    t.ok(answers.length > 400)
    t.same(
      answers.filter((answer) => !/^HTTP\/1\.1 4\d\d /.test(answer)),
      [],
    )
  })

  const classes = Object.entries(hostileRequests(prey))
  const ofClasses = await send(classes.flatMap(([, requests]) => requests))
  for (const [name, requests] of classes) {
    await t.test(`class: ${name}`, (t) => {
      for (const [i, answer] of ofClasses.splice(0, requests.length).entries()) {
        t.ok(answer === '' || /^HTTP\/1\.1 4\d\d /.test(answer), `${requests[i]?.slice(0, 80)}: ${answer.slice(0, 80)}`)
        t.ok(answer.split('HTTP/1.1 ').length <= 2, 'one answer at most')
      }
      t.end()
    })
  }

  await t.test('of all that, nothing reached a container', async (t) => {
    t.same(await done(), [])
    t.same(await statesOf([...ours, proxy]), before)
  })

  await t.test('what is hidden and what is not there cannot be told apart', async (t) => {
    const { Id } = await inspect('hostile-hidden')
    const asked = ['hostile-hidden', 'hostile-nobody', Id, '0'.repeat(64), Id.slice(0, 12), '0'.repeat(12)]
    const answers = await send(asked.map((ref) => `GET /containers/${ref}/json HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`))
    const alike = answers.map((answer, i) =>
      answer.replaceAll(asked[i] ?? '', 'REF').replace(/^(date|content-length):.*\r\n/gim, ''),
    )
    t.equal(new Set(alike).size, 1, alike.join('\n'))
  })

  await t.test('more than it was given: sockets, files, users', async (t) => {
    const { tried, sockets, processes } = (await attacker.run(BREAK_OUT)) as {
      readonly tried: Readonly<Record<string, string>>
      readonly sockets: readonly string[]
      readonly processes: readonly string[]
    }
    t.ok(processes.length > 0)
    for (const process of processes) t.match(process, /^node\0-e\0/, 'no process but its own')
    t.same(sockets.filter((name) => name.endsWith('.sock')).sort(), ['healer.sock', 'metrics.sock'])
    for (const [what, came] of Object.entries(tried)) t.match(came, /^(?:E(?:ROFS|PERM|ACCES|NOENT|SRCH)|ERR_\w+)$/, what)
  })

  await t.test(
    'while it exhausts connections, memory and processor, another client is answered, and the proxy lives',
    async (t) => {
      const over = attacker.run(EXHAUST, 5000) as Promise<number>
      const answers: string[] = []
      for (let i = 0; i < ASKED_MEANWHILE; i++) answers.push((await inProxy('node', '-e', ASK_AS_OTHER)).trim())
      t.same(answers, Array(ASKED_MEANWHILE).fill('200'))
      const made = await over
      t.ok(made > 600, `${made} connections`)
      const { State, RestartCount, HostConfig } = await inspect(proxy)
      t.match(
        { State, RestartCount, HostConfig },
        {
          State: { OOMKilled: false, StartedAt: before.at(-1)?.[2] },
          RestartCount: 0,
          HostConfig: { Memory: 192 * 1024 * 1024 },
        },
      )
      await waitFor('its own requests to be answered again', async () =>
        (await send(['GET /_ping HTTP/1.1\r\nHost: x\r\n\r\n']))[0]?.includes(' 200 '),
      )
    },
  )

  await t.test(
    'a storm of restarts: five of each in ten minutes, and twenty in all; and none of what takes a name over meanwhile',
    async (t) => {
      const storm = Array.from({ length: 40 }, () =>
        [...OPTED_IN, ...OTHERS].map((name) => ['POST', `/containers/${name}/restart?t=0`]),
      ).flat()
      const ask = () => attacker.run(ASK_AT_ONCE, storm) as Promise<number[]>
      const over = ask()
      await docker('rename', 'hostile-e', 'hostile-was-e')
      await docker('rename', 'hostile-moving', 'hostile-e')
      const statuses = [...(await over)]
      await docker('rename', 'hostile-e', 'hostile-moving')
      await docker('rename', 'hostile-was-e', 'hostile-e')
      // Until no storm moves anything any more.
      for (let more = await ask(); ; more = await ask()) {
        statuses.push(...more)
        if (!more.includes(204)) break
      }
      const restarted = (await done()).flatMap((event) => /^container restart (?:hostile-)(?:was-)?(.*)$/.exec(event)?.[1] ?? [])
      t.equal(statuses.filter((status) => status === 204).length, restarted.length, 'as many as it was told of')
      t.equal(restarted.length, 20)
      for (const name of new Set(restarted)) t.ok(restarted.filter((each) => each === name).length <= 5, name)
      t.same(
        [...new Set(restarted)].filter((name) => !OPTED_IN.includes(`hostile-${name}`)),
        [],
      )
      t.same(
        [...new Set(statuses)].filter((status) => ![204, 403, 404, 409, 429].includes(status)),
        [],
      )
      const untouched = await statesOf(OTHERS)
      t.same(
        untouched,
        before.filter(([name]) => OTHERS.includes(name as string)),
      )
    },
  )

  await t.test('the Engine did nothing else', async (t) => {
    const others = (await done()).filter(
      (event) =>
        !/^container (?:kill|die|stop|start|restart|rename) hostile-(?:was-)?[a-e]$|^container rename hostile-/.test(event),
    )
    t.same(
      others.filter((event) => !/^network (?:dis)?connect /.test(event)),
      [],
    )
  })

  await t.test('no answer held a secret of another container', (t) => {
    t.ok(answered.length > 100_000)
    t.notMatch(answered, SECRET)
    t.notMatch(answered, /PASSWORD|LogPath|GraphDriver|\/var\/lib\/docker/)
    t.end()
  })

  await t.test('the proxy’s metrics are its own words alone, and few', async (t) => {
    const text = (await attacker.run(READ_METRICS)) as string
    const values = (label: string) => [
      ...new Set([...text.matchAll(new RegExp(`[{,]${label}="([^"]*)"`, 'g'))].map(([, value]) => value)),
    ]
    const operations: string[] = CATALOGUE.map(({ id }) => id)
    const rules: string[] = [...REFUSAL_RULES, ...operations.map((id) => `allow.${id}`)]
    t.same(
      values('operation').filter((value) => value !== '' && !operations.includes(value ?? '')),
      [],
    )
    t.same(
      values('rule').filter((value) => value !== '' && !rules.includes(value ?? '')),
      [],
    )
    t.same(values('client').sort(), ['healer', 'readonly'])
    t.ok(text.split('\n').length < 1500)
  })

  await t.test('the audit log tells all of it, in lines that verify, and is small', async (t) => {
    // At its end it tells of what it has counted.
    await stack.compose('restart', 'proxy')
    const log = '/var/log/postern/audit.jsonl'
    t.match(await inProxy('node', '/app/proxy.mjs', 'audit', 'verify', log), /^\d+ lines, 1 to \d+/)
    const text = await inProxy(...printFile(log))
    for (const line of text.trim().split('\n')) if (!/^\{[\x20-\x7e]{1,8192}\}$/.test(line)) t.fail(line.slice(0, 200))
    t.ok(text.length < 5 * 1024 * 1024, `${text.length} bytes`)
    const decisions = (await stack.audit()).filter(({ event, client }) => event === 'decision' && client === 'healer')
    const count = decisions.reduce((total, line) => total + Number(line.count ?? 1), 0)
    t.ok(count >= sent, `${count} of at least ${sent}`)
    const allowed = new Set(decisions.flatMap(({ verdict, operation }) => (verdict === 'allow' ? [operation] : [])))
    t.same(
      [...allowed].filter((id) => !['SystemPing', 'ContainerList', 'ContainerRestart'].includes(String(id))),
      [],
    )
    const restarts = decisions.filter(({ verdict, operation }) => verdict === 'allow' && operation === 'ContainerRestart')
    t.equal(restarts.length, (await done()).filter((event) => event.startsWith('container restart hostile-')).length)
  })
})
