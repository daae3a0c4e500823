// What `check` says, for a terminal. Nothing that a container's labels hold can move the cursor.
import { renderDuration } from '../settings/duration.ts'
import type { Verdicts } from '../terminal.ts'
import type { CheckedContainer, CheckReport } from './check.ts'
import type { Explained } from './explain-settings.ts'

export const CHECK_VERDICTS: Verdicts = {
  good: /(?<=^ {2}found: )success|^Nothing is wrong\.$/gm,
  bad: /(?<=^ {2})wrong:|(?<=^ {2}found: )failure|^(?:One thing is|\d+ things are) wrong\.$|^Docker cannot be asked:/gm,
  doubtful: /(?<=^ {2}found: )unknown|^Nobody is told:/gm,
}

/** Ends with a line feed. */
export function renderCheck({ ok, settings, receivers, docker, containers }: CheckReport): string {
  const found = docker.reachable ? containers.flatMap((container) => ['', ...renderContainer(container)]) : []
  const lines = [
    'Settings of the healer',
    ...renderSettings(settings),
    '',
    ...renderReceivers(receivers),
    '',
    opening(docker, containers.length),
    ...found,
  ]
  const wrong = containers.reduce((sum, { problems }) => sum + problems.length, 0)
  if (ok) lines.push('', 'Nothing is wrong.')
  else if (docker.reachable) lines.push('', wrong === 1 ? 'One thing is wrong.' : `${wrong} things are wrong.`)
  return `${lines.map(printable).join('\n')}\n`
}

function renderReceivers(receivers: CheckReport['receivers']): string[] {
  if (receivers.length === 0) return ['Nobody is told: no receiver of alerts is set; docs/alerts.md says how']
  const width = Math.max(...receivers.map(({ name }) => name.length))
  return ['Receivers of alerts', ...receivers.map(({ name, events }) => `  ${name.padEnd(width)}  ${events.join(' ')}`)]
}

function opening({ reachable, message }: CheckReport['docker'], count: number): string {
  if (!reachable) return `Docker cannot be asked: ${message}`
  if (count === 0) return 'No container opted in; label one monitored=true'
  return count === 1 ? 'One container opted in' : `${count} containers opted in`
}

function renderContainer({ name, optedIn, status, probe, address, found, settings, problems }: CheckedContainer): string[] {
  const probed = probe === undefined ? 'none while it does not run' : `${probe}${address === undefined ? '' : ` at ${address}`}`
  const result = found && `${found.result}: ${found.reason}, after ${renderDuration(found.durationMs)}`
  return [
    `${name} (${optedIn}=true, ${status})`,
    ...problems.map((problem) => `  wrong: ${problem}`),
    `  probe: ${probed}`,
    ...(result === undefined ? [] : [`  found: ${result}`]),
    ...renderSettings(settings),
  ]
}

/** The widest value that others are aligned to. */
const MAX_COLUMN = 40

function renderSettings(settings: readonly Explained[]): string[] {
  const rows = settings.map(({ name, value, from }) => ({ name, value: printable(value ?? '-'), from }))
  const widest = (texts: readonly string[]) => Math.min(MAX_COLUMN, Math.max(0, ...texts.map((text) => text.length)))
  const nameWidth = widest(rows.map(({ name }) => name))
  const valueWidth = widest(rows.map(({ value }) => value))
  return rows.map(({ name, value, from }) => `  ${name.padEnd(nameWidth)}  ${value.padEnd(valueWidth)}  ${from}`)
}

/** Control and format characters as their code points: nothing can move the cursor, or end the line. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (found) => `\\u{${found.codePointAt(0)?.toString(16)}}`)
}
