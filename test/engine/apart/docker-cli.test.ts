// Docker's own client through the proxy, under a policy that allows everything: each command does, says and ends as it does at the
// Engine's own socket. Without the composition.
import { spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { everythingPolicy } from '../../proxy/support/everything.ts'
import { startProxy } from '../../proxy/support/start-proxy.ts'
import { docker, waitFor } from '../support/composition.ts'
import { startRegistry } from '../support/registry.ts'

const ENGINE = '/var/run/docker.sock'
const IMAGE = 'node:24-bookworm-slim'
const NAME = 'postern-test-cli'
const TINY = 'postern-test-tiny'

type Ran = { readonly code: number | null; readonly stdout: string; readonly stderr: string }
type RunOptions = { readonly input?: Buffer | string; readonly env?: NodeJS.ProcessEnv; readonly cwd?: string }

/** Runs a command to its end. What it prints is kept byte by byte. */
function run(command: string, args: readonly string[], { input = '', env = {}, cwd }: RunOptions = {}): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { env: { ...process.env, ...env }, ...(cwd === undefined ? {} : { cwd }) })
    const out: Buffer[] = []
    const err: Buffer[] = []
    child.stdout.on('data', (chunk: Buffer) => out.push(chunk))
    child.stderr.on('data', (chunk: Buffer) => err.push(chunk))
    child.on('error', reject)
    const text = (chunks: readonly Buffer[]) => Buffer.concat(chunks).toString('latin1')
    child.on('close', (code) => resolve({ code, stdout: text(out), stderr: text(err) }))
    child.stdin.on('error', () => 'it has ended before it read all')
    child.stdin.end(input)
  })
}

const sha256 = (bytes: string | Buffer) =>
  createHash('sha256')
    .update(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes)
    .digest('hex')

await t.test('docker through the proxy', { timeout: 580_000 }, async (t) => {
  const { socketPath, auditLines } = await startProxy(t, { engineSocket: ENGINE, policyText: everythingPolicy() })
  const hosts = [`unix://${ENGINE}`, `unix://${socketPath}`] as const
  const at = (host: string, args: readonly string[], { env, ...options }: RunOptions = {}) =>
    run('docker', args, { ...options, env: { ...env, DOCKER_HOST: host } })
  const proxied = (args: readonly string[], options?: RunOptions) => at(hosts[1], args, options)
  /** At the Engine, then through the proxy; it must be the same. */
  const both = async (t: Tap, args: readonly string[], options?: RunOptions): Promise<Ran> => {
    const [direct, through] = [await at(hosts[0], args, options), await at(hosts[1], args, options)]
    t.same(shortened(through), shortened(direct), args.join(' '))
    return through
  }
  const directory = t.testdir({ Dockerfile: `FROM ${IMAGE}\nCOPY big /big\nRUN sha256sum /big > /sum\n` })
  const big = randomBytes(3_000_000)
  writeFileSync(join(directory, 'big'), big)
  t.teardown(async () => {
    await docker('rm', '--force', '--volumes', NAME)
    await docker('rmi', '--force', `${NAME}-classic`, `${NAME}-buildkit`, TINY).catch(() => 'not all were made')
  })
  const noise = 'let i = 0; setInterval(() => console.log("line", i++, "é"), 50)'
  await docker(
    'run',
    '--detach',
    '--init',
    '--name',
    NAME,
    '--label',
    'postern.test=cli',
    '--publish',
    '127.0.0.1::3000',
    IMAGE,
    'node',
    '-e',
    noise,
  )

  await t.test('what only reads', async (t) => {
    const fields = '{{.Names}} {{.Image}} {{.Ports}} {{.Labels}} {{.Mounts}} {{.Networks}} {{.State}}'
    for (const args of [
      ['ps', '--all', '--filter', 'label=postern.test=cli', '--no-trunc', '--format', fields],
      ['inspect', NAME],
      ['inspect', '--size', '--format', '{{.SizeRootFs}}', NAME],
      ['inspect', 'postern-no-such-container', '--type', 'container'],
      ['version', '--format', '{{json .Server}}'],
      ['info', '--format', '{{.ServerVersion}} {{.Driver}} {{.OperatingSystem}}'],
      ['images', '--no-trunc', '--format', '{{.ID}} {{.Repository}}:{{.Tag}}', IMAGE],
      ['history', '--no-trunc', '--format', '{{.CreatedBy}}', IMAGE],
      ['port', NAME],
      ['diff', NAME],
      ['network', 'inspect', 'host', '--format', '{{.ID}} {{.Driver}}'],
      ['stats', '--no-stream', '--format', '{{.Name}}', NAME],
      ['top', NAME, '-o', 'args'],
    ])
      await both(t, args)
  })

  await t.test('logs, whole and followed to their end', async (t) => {
    await both(t, ['logs', '--timestamps', '--until', new Date().toISOString(), NAME])
    const script =
      'process.stdout.write(require("crypto").randomBytes(400000)); console.error("to the other"); setTimeout(() => {}, 500)'
    const made = `${NAME}-logs`
    t.teardown(() => docker('rm', '--force', made))
    await docker('run', '--detach', '--name', made, IMAGE, 'node', '-e', script)
    const followed = await Promise.all(hosts.map((host) => at(host, ['logs', '--follow', made])))
    t.same(shortened(followed[1]), shortened(followed[0]))
    t.ok(Buffer.from(followed[1]?.stdout ?? '', 'latin1').length >= 400_000)
    t.equal(followed[1]?.stderr, 'to the other\n')
  })

  await t.test('exec: its output, its end, its input and a terminal', async (t) => {
    t.equal((await both(t, ['exec', NAME, 'sh', '-c', 'echo out; echo err >&2; exit 7'])).code, 7)
    t.equal((await both(t, ['exec', '--interactive', NAME, 'sha256sum'], { input: big })).stdout, `${sha256(big)}  -\n`)
    t.equal(sha256((await both(t, ['exec', '--interactive', NAME, 'cat'], { input: big })).stdout), sha256(big))
    await both(t, ['exec', '--detach', NAME, 'true'])
    await both(t, ['exec', NAME, 'no-such-program'])
    for (const host of hosts) {
      const { stdout } = await run('script', ['-qec', `docker exec -it ${NAME} sh -c "tty; stty size; echo done"`, '/dev/null'], {
        env: { DOCKER_HOST: host },
      })
      t.match(
        withoutEcho(stdout),
        /^\/dev\/pts\/\d+\r\n\d+ \d+\r\ndone\r\n$/,
        host === hosts[0] ? 'at the Engine' : 'through the proxy',
      )
    }
  })

  /** Ends at once the first time, and not by itself when it is started again. */
  const ONCE_SHORT = 'test -e /tmp/again && sleep 600; touch /tmp/again; exit 5'

  await t.test('run: input, output, how it ended, and what it leaves', async (t) => {
    t.equal((await both(t, ['run', '--rm', '-i', IMAGE, 'sha256sum'], { input: big })).stdout, `${sha256(big)}  -\n`)
    t.equal((await both(t, ['run', '--rm', IMAGE, 'sh', '-c', 'echo out; echo err >&2; exit 3'])).code, 3)
    // Which of the two that is (127, 126), the command reads from the Engine's own words, which may name paths of the host.
    t.equal((await proxied(['run', '--rm', IMAGE, 'no-such-program'])).code, 125)
    const args = ['--rm', '-it', IMAGE, 'sh', '-c', '"test -t 0 && echo terminal"']
    const { stdout } = await run('script', ['-qec', ['docker', 'run', ...args].join(' '), '/dev/null'], {
      env: { DOCKER_HOST: hosts[1] },
    })
    t.equal(withoutEcho(stdout), 'terminal\r\n')
    const id = (await proxied(['run', '--detach', IMAGE, 'sh', '-c', ONCE_SHORT])).stdout.trim()
    t.teardown(() => docker('rm', '--force', id))
    t.equal((await proxied(['wait', id])).stdout, '5\n')
    for (const args of [
      ['start', id],
      ['kill', id],
      ['rename', id, `${NAME}-renamed`],
      ['rm', id],
    ])
      t.equal((await proxied(args)).code, 0, args.join(' '))
    t.equal((await at(hosts[0], ['inspect', id])).code, 1)
  })

  await t.test('cp, in and out, of files and of what is not there', async (t) => {
    t.equal((await proxied(['cp', 'big', `${NAME}:/tmp/big`], { cwd: directory })).code, 0)
    for (const [i, host] of hosts.entries()) {
      t.equal((await at(host, ['cp', `${NAME}:/tmp/big`, `back${i}`], { cwd: directory })).code, 0)
      t.equal(sha256(readFileSync(join(directory, `back${i}`))), sha256(big))
    }
    await both(t, ['cp', `${NAME}:/etc/os-release`, '-'])
    for (const host of hosts) t.equal((await at(host, ['cp', `${NAME}:/no/such/file`, '.'], { cwd: directory })).code, 1)
    t.equal(sha256((await both(t, ['export', NAME])).stdout).length, 64)
  })

  await t.test('events, those that were and those that come', async (t) => {
    const live = spawn('docker', ['events', '--filter', `container=${NAME}`, '--format', '{{json .}}'], {
      env: { ...process.env, DOCKER_HOST: hosts[1] },
    })
    t.teardown(() => live.kill('SIGKILL'))
    let said = ''
    live.stdout.on('data', (chunk: Buffer) => {
      said += chunk.toString()
    })
    const since = `${Math.floor(Date.now() / 1000)}`
    // Said again and again: nobody tells when it listens.
    await waitFor('an event to come', async () => {
      await docker('restart', '--time', '0', NAME)
      return said.includes('"Action":"restart"')
    })
    const until = `${Math.ceil(Date.now() / 1000)}`
    const past = await both(t, [
      'events',
      '--since',
      since,
      '--until',
      until,
      '--filter',
      `container=${NAME}`,
      '--format',
      '{{json .}}',
    ])
    t.match(past.stdout, /"Action":"restart"/)
    for (const line of said.trim().split('\n')) t.ok(past.stdout.includes(line), line.slice(0, 100))
  })

  await t.test('stats, one after the other', async (t) => {
    const child = spawn('docker', ['stats', '--format', '{{.Name}}', NAME], { env: { ...process.env, DOCKER_HOST: hosts[1] } })
    t.teardown(() => child.kill('SIGKILL'))
    let said = ''
    child.stdout.on('data', (chunk: Buffer) => {
      said += chunk.toString()
    })
    await waitFor('several', async () => said.split(NAME).length > 3)
  })

  await t.test('build, by both builders', async (t) => {
    for (const [builder, name] of [
      ['0', `${NAME}-classic`],
      ['1', `${NAME}-buildkit`],
    ] as const) {
      const built = await proxied(['build', '--no-cache', '--tag', name, '.'], {
        cwd: directory,
        env: { DOCKER_BUILDKIT: builder },
      })
      t.equal(built.code, 0, built.stderr)
      t.match((await at(hosts[0], ['run', '--rm', name, 'cat', '/sum'])).stdout, sha256(big))
    }
    for (const host of hosts) {
      const options = { cwd: directory, input: `FROM ${IMAGE}\nRUN false\n` }
      t.not((await at(host, ['build', '--file', '-', '.'], options)).code, 0)
    }
  })

  await t.test('images: import, tag, save, load, push, pull, commit and remove', async (t) => {
    const registry = await startRegistry(t)
    const pushed = `${registry.host}/${TINY}`
    const env = { DOCKER_CONFIG: t.testdir({}) }
    await run('tar', ['-cf', 'tiny.tar', 'Dockerfile'], { cwd: directory })
    const id = (await proxied(['import', 'tiny.tar', TINY], { cwd: directory })).stdout.trim()
    t.match(id, /^sha256:/)
    // Each has its own time in it.
    const saved = await proxied(['save', TINY])
    t.match(await proxied(['load'], { input: Buffer.from(saved.stdout, 'latin1') }), {
      code: 0,
      stdout: `Loaded image: ${TINY}:latest\n`,
    })
    t.equal((await proxied(['tag', TINY, pushed])).code, 0)
    t.not((await proxied(['push', pushed], { env })).code, 0, 'without a password')
    const login = ['login', '--username', registry.user, '--password-stdin', registry.host]
    t.match(await proxied(login, { env, input: registry.password }), { code: 0, stdout: 'Login Succeeded\n' })
    const push = await proxied(['push', '--quiet', pushed], { env })
    t.equal(push.code, 0, push.stderr)
    t.equal((await proxied(['rmi', pushed])).code, 0)
    const pull = await proxied(['pull', pushed], { env })
    t.match(pull, { code: 0, stdout: /Status: (?:Downloaded newer image|Image is up to date)/ })
    t.equal((await proxied(['image', 'inspect', '--format', '{{.Id}}', pushed])).stdout.trim(), id)
    t.match((await proxied(['commit', '--message', 'x', NAME, `${TINY}:committed`])).stdout, /^sha256:/)
    t.equal((await proxied(['rmi', pushed, `${TINY}:committed`])).code, 0)
    const recorded = auditLines().map((line) => JSON.stringify(line))
    t.notOk(
      recorded.some(
        (line) => line.includes(registry.password) || line.includes(Buffer.from(registry.password).toString('base64')),
      ),
    )
  })

  await t.test('networks and volumes', async (t) => {
    const [network, volume] = [`${NAME}-net`, `${NAME}-vol`]
    t.teardown(async () => {
      await docker('network', 'rm', '--force', network)
      await docker('volume', 'rm', '--force', volume)
    })
    for (const args of [
      ['network', 'create', '--label', 'a=b', network],
      ['network', 'connect', '--alias', 'other', network, NAME],
      ['network', 'disconnect', network, NAME],
      ['network', 'rm', network],
      ['volume', 'create', volume],
      ['volume', 'inspect', volume],
      ['volume', 'rm', volume],
    ])
      t.equal((await proxied(args)).code, 0, args.join(' '))
  })

  await t.test('compose up, in the background and before one’s eyes, and down', async (t) => {
    const service = (command: string) => ({ image: IMAGE, init: true, command: ['sh', '-c', command], labels: { a: 'b' } })
    const services = { one: service('echo one; sleep 600'), two: service('echo two; sleep 600') }
    const folder = t.testdir({
      'compose.yaml': JSON.stringify({ name: NAME, services, volumes: { data: {} } }),
      'short.yaml': JSON.stringify({ name: `${NAME}-short`, services: { one: service('echo before; sleep 1; echo after') } }),
    })
    const compose = (host: string, ...args: readonly string[]) => at(host, ['compose', ...args], { cwd: folder })
    t.teardown(() => docker('compose', '--project-name', NAME, 'down', '--timeout', '0'))
    const up = await compose(hosts[1], 'up', '--detach')
    t.equal(up.code, 0, up.stderr)
    const ps = ['ps', '--format', '{{.Service}} {{.State}}']
    const [direct, through] = [await compose(hosts[0], ...ps), await compose(hosts[1], ...ps)]
    t.same(through, direct)
    t.match(through.stdout, /one running/)
    t.match((await compose(hosts[1], 'logs', '--no-color')).stdout, /two-1 +\| two\n/)
    t.equal((await compose(hosts[1], 'exec', '-T', 'one', 'echo', 'inside')).stdout, 'inside\n')
    t.equal((await compose(hosts[1], 'down', '--timeout', '0')).code, 0)
    t.equal((await compose(hosts[0], 'ps', '--all', '--quiet')).stdout, '')
    for (const host of hosts) {
      const shown = await compose(host, '--file', 'short.yaml', 'up', '--no-color')
      t.match(shown, { code: 0, stdout: /before\n(?:.*\n)*.*after\n/ }, host === hosts[0] ? 'at the Engine' : 'through the proxy')
      t.equal((await compose(host, '--file', 'short.yaml', 'down', '--timeout', '0')).code, 0)
    }
  })
})

/** Without what the terminal echoes of the end of its input. */
function withoutEcho(text: string): string {
  return text.replaceAll('^@', '').replaceAll('^D', '').replaceAll('\b', '')
}

type Tap = Pick<typeof t, 'same' | 'equal'>

/** Long output by its hash; what is told of a failure by the Engine’s own words is told otherwise by the proxy. */
function shortened(ran: Ran | undefined): unknown {
  const { code, stdout = '', stderr = '' } = ran ?? {}
  const failed = stderr.includes('Error response from daemon') || /^(?:docker: )?Error/m.test(stderr)
  return { code, stdout: stdout.length > 4000 ? sha256(stdout) : stdout, stderr: failed ? 'an error' : stderr }
}
