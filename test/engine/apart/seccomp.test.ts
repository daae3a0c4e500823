// The seccomp profiles, in force: what they refuse does not exist, whoever asks. That everything else works under them, the tests of the
// composition show: they bring it up with them.
import t from 'tap'
import { docker } from '../support/composition.ts'

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
