// Runs the faults of beside-an-engine.ts in namespaces of their own: for network, mounts and processes. All that is started there ends with it, and
// neither the machine's Engine nor its addresses, firewall or names are touched.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync, mkdtempSync, readdirSync, rmdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { run } from '../../engine/support/composition.ts'
import { BUSYBOX, findEngineProgram } from '../../engine/support/second-engine.ts'
import { skipFor } from '../../support/required.ts'

const NAMESPACES = ['--net', '--mount', '--pid', '--ipc', '--mount-proc', '--fork', '--kill-child']
const PARENT = 'postern-faults'

const found = findEngineProgram()
const why = typeof found === 'string' ? found : BUSYBOX === undefined ? 'there is no busybox to make an image of' : undefined

if (why !== undefined) {
  const { default: t } = await import('tap')
  t.test('faults beside an Engine', { skip: skipFor(why) }, async () => undefined)
} else process.exitCode = await runInNamespaces()

/** What it prints is this file's own result; its exit code. */
async function runInNamespaces(): Promise<number> {
  const directory = mkdtempSync(join(tmpdir(), 'postern-f-'))
  chmodSync(directory, 0o755)
  const cgroup = `${PARENT}/${basename(directory)}`
  const program = new URL('./beside-an-engine.ts', import.meta.url).pathname
  // The first process there has to wait for those that lose their parents, or an Engine takes its dead containerd for one that runs.
  const init = ['sh', '-c', '"$@"; exit $?', 'sh']
  const child = spawn(
    'setpriv',
    ['--pdeathsig', 'KILL', 'unshare', ...NAMESPACES, ...init, process.execPath, '--import=tsx', program],
    {
      env: { ...process.env, FAULTS: JSON.stringify({ found, busybox: BUSYBOX, directory, cgroup: `/${cgroup}` }) },
      stdio: 'inherit',
    },
  )
  const [code] = await once(child, 'exit')
  rmSync(directory, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 })
  await run('find', ['/sys/fs/cgroup', '-depth', '-type', 'd', '-path', `*/${cgroup}*`, '-exec', 'rmdir', '{}', '+']).catch(
    () => '',
  )
  for (const place of ['', ...readdirSync('/sys/fs/cgroup')].map((name) => join('/sys/fs/cgroup', name, PARENT)))
    if (existsSync(place) && readdirSync(place, { withFileTypes: true }).every((entry) => !entry.isDirectory())) rmdirSync(place)
  return code ?? 1
}
