// Postern's own alerts fire when they should and not when they should not, by Prometheus' own promtool; and go where they should, by
// Alertmanager's amtool. Both come from PATH, or else from the images of the composition.
import { execFile } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { promisify } from 'node:util'
import t from 'tap'
import { parse } from 'yaml'
import { ALERT_NAME } from '../../../healer/alert/receiver.ts'
import { skipFor } from '../../support/required.ts'

const execute = promisify(execFile)
const FILES = ['compose/prometheus', 'compose/alertmanager', 'test/engine/rules']

type Tool = (...args: readonly string[]) => Promise<string>

/** `name` from PATH, or from the image of `service`, which sees nothing but `FILES`; `undefined` where neither has it. */
async function findTool(name: string, service: string): Promise<Tool | undefined> {
  const { image } = parse(readFileSync('compose/compose.yaml', 'utf8'), { merge: true }).services[service]
  const mounts = FILES.flatMap((file) => ['--volume', `${process.cwd()}/${file}:/postern/${file}:ro`])
  const run = ['run', '--rm', '--network=none', '--workdir=/postern', ...mounts, `--entrypoint=${name}`, image]
  const call =
    (command: string, before: readonly string[]): Tool =>
    async (...args) => {
      const { stdout, stderr } = await execute(command, [...before, ...args], { maxBuffer: 16 * 1024 * 1024 })
      return stdout + stderr
    }
  for (const tool of [call(name, []), call('docker', run)]) {
    const isThere = await tool('--version').then(
      () => true,
      () => false,
    )
    if (isThere) return tool
  }
  return undefined
}

/** What `tool` says, also where it ends with a failure. */
const said = (tool: Tool, ...args: readonly string[]) =>
  tool(...args).then(
    (text) => ({ isRight: true, text }),
    (error: { stdout: string; stderr: string }) => ({ isRight: false, text: error.stdout + error.stderr }),
  )

const missing = (name: string) => `neither PATH nor the composition's image has ${name}`

const promtool = await findTool('promtool', 'prometheus')
await t.test('the rules', { skip: skipFor(promtool ? undefined : missing('promtool')), timeout: 580_000 }, async (t) => {
  if (!promtool) return
  const checked = await said(promtool, 'check', 'config', 'compose/prometheus/prometheus.yml')
  t.ok(checked.isRight, 'Prometheus takes its configuration, and both files of rules', { said: checked.text })
  t.match(checked.text, 'SUCCESS: 2 rule files found')

  for (const file of readdirSync('test/engine/rules')) {
    const tested = await said(promtool, 'test', 'rules', `test/engine/rules/${file}`)
    t.ok(tested.isRight, file, { said: tested.text })
  }
})

const amtool = await findTool('amtool', 'alertmanager')
await t.test('the routes', { skip: skipFor(amtool ? undefined : missing('amtool')), timeout: 580_000 }, async (t) => {
  if (!amtool) return
  for (const [file, own] of [
    ['alertmanager.yml', 'nobody'],
    ['alertmanager-with-slack.yml', 'slack'],
  ] as const) {
    const path = `compose/alertmanager/${file}`
    const checked = await said(amtool, 'check-config', path)
    t.ok(checked.isRight, `Alertmanager takes ${file}`, { said: checked.text })
    const receivers = async (...labels: readonly string[]) =>
      (await amtool('config', 'routes', 'test', `--config.file=${path}`, ...labels)).replace(/^Warning: .*\n/m, '').trim()
    t.equal(await receivers('alertname=HighErrorRate', 'container=sample-app'), 'healer')
    t.equal(await receivers('alertname=PosternGaveUp', 'watched=web'), own)
    t.equal(await receivers('alertname=PosternGaveUp', 'container=web'), own, 'though it names a container')
    t.equal(await receivers(`alertname=${ALERT_NAME}`, 'container=web'), own)
    t.equal(await receivers('alertname=Watchdog'), 'nobody')
  }
})
