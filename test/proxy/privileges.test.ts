// Who the proxy runs as: which users can be named, what setpriv is called with, and that a held capability stops the start.
import t from 'tap'
import { writtenDirectories } from '../../proxy/commands/options.ts'
import { assertUnprivileged, nodePermissions, parseUser, setprivArguments } from '../../proxy/privileges.ts'

t.test('a user is two numbers above 0', async (t) => {
  t.same(parseUser('10001:10002'), { uid: 10001, gid: 10002 })
  t.same(parseUser('1:1'), { uid: 1, gid: 1 })
  const wrong = [
    '',
    ':',
    '10001',
    '10001:',
    ':10001',
    '0:10001',
    '10001:0',
    '0:0',
    '-1:1',
    '1:-1',
    '+1:1',
    '01:1',
    '1:01',
    '1e3:1',
    '0x1:1',
  ]
  for (const text of [...wrong, 'nobody:nogroup', ' 1:1', '1:1 ', '1:1\n', '1:1:1', '1.5:1', '12345678901:1']) {
    t.throws(
      () => parseUser(text),
      { message: `“${text}” is not UID:GID, two numbers above 0 such as 10001:10001` },
      JSON.stringify(text),
    )
  }
})

t.test('a number that is no user to the kernel is refused: the last one means “leave it as it is”, which is root', async (t) => {
  for (const text of ['4294967295:1', '1:4294967295', '4294967296:1', '9999999999:1']) t.throws(() => parseUser(text), text)
  t.same(parseUser('4294967294:4294967294'), { uid: 4294967294, gid: 4294967294 })
})

t.test('setpriv is told to take every privilege, and to run this very program again', async (t) => {
  const args = setprivArguments({ uid: 10001, gid: 10002 }, 998, true)
  t.same(args.slice(0, 8), [
    'setpriv',
    '--reuid=10001',
    '--regid=10002',
    '--groups=998',
    '--inh-caps=-all',
    '--ambient-caps=-all',
    '--bounding-set=-all',
    '--no-new-privs',
  ])
  t.same(args.slice(8), [process.execPath, ...process.execArgv, ...process.argv.slice(1)])
})

t.test('Node is told to write where log, state and sockets are, each once, and to do nothing but read elsewhere', async (t) => {
  const flags = { engine: '/var/run/docker.sock', audit: '/var/log/postern/audit.jsonl', auditMaxSize: 1, auditMaxFiles: 2 }
  const directories = writtenDirectories({ ...flags, metrics: '/run/postern/metrics.sock' }, [
    '/run/postern/healer.sock',
    '/srv/x.sock',
  ])
  const permissions = nodePermissions(directories)
  t.same(permissions, [
    '--permission',
    '--allow-fs-read=*',
    '--allow-fs-write=/var/log/postern/*',
    '--allow-fs-write=/run/postern/*',
    '--allow-fs-write=/srv/*',
  ])
  t.same(nodePermissions(writtenDirectories({ ...flags, audit: 'audit.jsonl', state: '/keys' }, [])).slice(2), [
    `--allow-fs-write=${process.cwd()}/*`,
    '--allow-fs-write=/keys/*',
  ])
  const args = setprivArguments({ uid: 1, gid: 1 }, 0, true, permissions)
  t.same(args.slice(8), [process.execPath, ...permissions, ...process.execArgv, ...process.argv.slice(1)])
})

t.test('without the capability to empty the bounding set, only that is left out', async (t) => {
  const [with_, without] = [true, false].map((can) => setprivArguments({ uid: 1, gid: 1 }, 0, can))
  t.same(
    without,
    with_?.filter((argument) => argument !== '--bounding-set=-all'),
  )
  t.equal(with_?.length, (without?.length ?? 0) + 1)
})

const status = (over: Record<string, string>) =>
  Object.entries({
    Name: 'node',
    CapInh: '0',
    CapPrm: '0',
    CapEff: '0',
    CapBnd: '1ffffffffff',
    CapAmb: '0',
    NoNewPrivs: '1',
    ...over,
  })
    .map(([name, value]) => `${name}:\t${name.startsWith('Cap') ? value.padStart(16, '0') : value}\n`)
    .join('')

t.test('a process without capabilities may serve, whatever it could regain through its bounding set', async (t) => {
  t.doesNotThrow(() => assertUnprivileged(status({})))
  t.doesNotThrow(() => assertUnprivileged(status({ CapBnd: '0' })))
})

t.test('a capability in any other set stops the start', async (t) => {
  for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapAmb']) {
    for (const value of ['1', '1ffffffffff', '8000000000000000', 'c0']) {
      t.throws(() => assertUnprivileged(status({ [set]: value })), {
        message: new RegExp(`this process holds capabilities \\(${set} 0*${value}\\)`),
      })
    }
  }
})
