// The ready policies, served by the proxy's program in front of the machine's Docker Engine, each at a socket of its own.
import { chmodSync, readFileSync, statSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import type { Test } from 'tap'
import { startProgram, untilAnswered } from '../../proxy/support/proxy-process.ts'
import { parseLines } from '../../proxy/support/start-proxy.ts'
import { READY_POLICIES, readyPolicyFile } from '../../support/ready-policies.ts'
import { temporaryDirectory } from '../../support/temporary.ts'

const ENGINE = (process.env.DOCKER_HOST ?? 'unix:///var/run/docker.sock').replace(/^unix:\/\//, '')

export type ReadyProxy = {
  readonly socketOf: (policy: string) => string
  /** The decisions on what this client asked. */
  readonly decisions: (client: string) => readonly Readonly<Record<string, unknown>>[]
}

export async function serveReadyPolicies(t: Test): Promise<ReadyProxy> {
  const directory = temporaryDirectory(t)
  chmodSync(directory, 0o777)
  const socketOf = (policy: string) => join(directory, `${policy}.sock`)
  const audit = join(directory, 'audit.jsonl')
  const servings = READY_POLICIES.map((policy) => `${readyPolicyFile(policy)}@unix://${socketOf(policy)}`)
  const rest = ['--engine', `unix://${ENGINE}`, '--audit', audit, '--metrics', `unix://${socketOf('metrics')}`]
  const program = startProgram(t, ['serve', ...servings, ...rest], { group: statSync(ENGINE).gid })
  const over = program.ended.then(({ code, stderr }) => {
    throw new Error(`the proxy ended with ${code}: ${stderr}`)
  })
  over.catch(() => 'told below, if it is before it serves')
  await Promise.race([over, untilAnswered(socketOf('metrics'))])
  return {
    socketOf,
    decisions: (client) =>
      parseLines(readFileSync(audit, 'utf8')).filter((line) => line.event === 'decision' && line.client === client),
  }
}

/** The answer to `METHOD /path` on this socket. */
export function ask(
  socketPath: string,
  line: string,
  headers: readonly string[] = [],
): Promise<{ status: number; body: string }> {
  const [method = '', path = ''] = line.split(' ')
  const named = Object.fromEntries(headers.map((header) => header.split(': ')))
  return new Promise((resolve, reject) => {
    request({ socketPath, method, path, headers: named, agent: false }, (response) => {
      let body = ''
      response.setEncoding('utf8').on('data', (text: string) => {
        body += text
      })
      response.on('error', reject).on('end', () => resolve({ status: response.statusCode ?? 0, body }))
    })
      .on('error', reject)
      .end()
  })
}

export type Followed = { readonly begun: Promise<void>; readonly said: () => string; readonly end: () => void }

/** The answer to `METHOD /path` on this socket, as far as it has come; it goes on until it is ended. */
export function follow(socketPath: string, line: string, headers: readonly string[] = []): Followed {
  const [method = '', path = ''] = line.split(' ')
  const named = Object.fromEntries(headers.map((header) => header.split(': ')))
  const asked = request({ socketPath, method, path, headers: named, agent: false })
  let said = ''
  const begun = new Promise<void>((resolve, reject) => {
    asked.on('error', reject).on('response', (response) => {
      response.setEncoding('utf8').on('data', (text: string) => {
        said += text
      })
      response.on('error', () => 'ended below')
      if (response.statusCode === 200) resolve()
      else reject(new Error(`${line} was answered ${response.statusCode}`))
    })
  })
  asked.end()
  return { begun, said: () => said, end: () => asked.destroy() }
}
