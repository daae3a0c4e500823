// The seccomp profiles, in force: what they refuse does not exist, whoever asks. That everything else works under them, the other tests of this
// directory show: they bring the composition up with them.
import t from 'tap'
import { bringUp, docker, inspect } from './support/composition.ts'

/** Their numbers on amd64 and on arm64; Docker's own profile lets some of them pass, or says EPERM. */
const REFUSED: Readonly<Record<string, readonly [x64: number, arm64: number]>> = {
  ptrace: [101, 117],
  mount: [165, 40],
  unshare: [272, 97],
  setns: [308, 268],
  bpf: [321, 280],
  keyctl: [250, 219],
  memfd_create: [319, 279],
  execveat: [322, 281],
  process_vm_readv: [310, 270],
  perf_event_open: [298, 241],
  io_uring_setup: [425, 425],
  clone3: [435, 435],
  symlinkat: [266, 36],
  inotify_init1: [294, 26],
}
const SOCKET = [41, 198] as const
const ENOSYS = 38

/** Debian's image has Perl, which calls the kernel by number. Each call's error, by its name. */
async function errorsOf(
  profile: string,
  calls: Readonly<Record<string, readonly (number | string)[]>>,
): Promise<Record<string, number>> {
  const script = Object.entries(calls).map(
    ([name, call]) => `print "${name} ", (syscall(${call.join(', ')}) < 0 ? $! + 0 : 0), "\\n";`,
  )
  const said = await docker(
    ...['run', '--rm', '--network', 'none', '--security-opt', `seccomp=compose/seccomp/${profile}.json`],
    ...['node:24-bookworm-slim', 'perl', '-e', script.join(' ')],
  )
  return Object.fromEntries(
    said
      .trim()
      .split('\n')
      .map((line) => line.split(' '))
      .map(([name = '', error]) => [name, Number(error)]),
  )
}

const own = process.arch === 'arm64' ? 1 : 0
const numbered = Object.fromEntries(Object.entries(REFUSED).map(([name, numbers]) => [name, [numbers[own], 0, 0, 0, 0, 0]]))
const sockets = (domains: Readonly<Record<string, number>>) =>
  Object.fromEntries(Object.entries(domains).map(([name, domain]) => [name, [SOCKET[own], domain, domain === 16 ? 3 : 1, 0]]))
const DOMAINS = { unix: 1, inet: 2, inet6: 10, netlink: 16, packet: 17, alg: 38, vsock: 40 }

await t.test('a call that no profile names does not exist', async (t) => {
  for (const profile of ['proxy', 'with-network']) {
    const errors = await errorsOf(profile, numbered)
    for (const name of Object.keys(REFUSED)) t.equal(errors[name], ENOSYS, `${profile}: ${name}`)
  }
})

await t.test(
  'the proxy has sockets of this machine alone; who has a network has those of the internet, and no others',
  async (t) => {
    const { unix, ...others } = await errorsOf('proxy', sockets(DOMAINS))
    t.equal(unix, 0)
    for (const [name, error] of Object.entries(others)) t.equal(error, ENOSYS, name)
    const { packet, alg, vsock, ...internet } = await errorsOf('with-network', sockets(DOMAINS))
    t.same([packet, alg, vsock], [ENOSYS, ENOSYS, ENOSYS])
    for (const [name, error] of Object.entries(internet)) t.not(error, ENOSYS, name)
  },
)

await t.test('the composition runs under them where POSTERN_SECCOMP names their directory', { timeout: 240_000 }, async (t) => {
  const stack = await bringUp(t, ['proxy', 'healer'])
  for (const service of ['proxy', 'healer']) {
    const { HostConfig } = await inspect((await stack.compose('ps', '-q', service)).trim())
    const [, profile = ''] = HostConfig.SecurityOpt as readonly string[]
    t.match(JSON.parse(profile.replace(/^seccomp=/, '')), { defaultAction: 'SCMP_ACT_ERRNO', defaultErrnoRet: ENOSYS }, service)
  }
  const attempts = `
    const say = (what, error) => console.log(what, error?.code ?? 'passed')
    const attempt = (what, act) => { try { act() } catch (error) { return say(what, error) } say(what) }
    say('process', child_process.spawnSync('node', ['--version']).error)
    attempt('directory', () => fs.mkdirSync('/run/postern/x'))
    attempt('mode', () => fs.chmodSync('/run/postern/healer.sock', 0o777))
    attempt('addresses', () => os.networkInterfaces())
    net.connect(1, '127.0.0.1').on('error', (error) => say('internet', error))`
  const said = await stack.compose('exec', '-T', '--user', '10001:10001', 'proxy', 'node', '-e', attempts)
  t.same(said.trim().split('\n'), [
    'process ENOSYS',
    'directory ENOSYS',
    'mode ENOSYS',
    'addresses ERR_SYSTEM_ERROR',
    'internet ENOSYS',
  ])
})
