// What the healer says of a container: every line of its log and every alert about one is one of these.
import { renderDuration } from '../settings/duration.ts'
import type { Diagnosis, NotRestarting } from './state.ts'

export type Happening =
  | { readonly kind: 'healthy'; readonly reason: string }
  | { readonly kind: 'failing'; readonly failures: number; readonly threshold: number; readonly reason: string }
  | { readonly kind: 'starting'; readonly reason: string }
  | { readonly kind: 'unknown'; readonly reason: string }
  | { readonly kind: 'not-running'; readonly status: string; readonly exitCode: number; readonly oomKilled: boolean }
  | { readonly kind: 'new-run'; readonly by: 'docker' | 'someone' }
  | { readonly kind: 'healed-itself'; readonly failures: number; readonly afterMs: number }
  | { readonly kind: 'restarting'; readonly failures: number; readonly diagnosis: Diagnosis }
  | { readonly kind: 'restarted'; readonly failures: number; readonly tookMs: number; readonly reason: string }
  | { readonly kind: 'restart-found' }
  | {
      readonly kind: 'restart-failed'
      readonly message: string
      readonly attempt: number
      readonly maxRestarts: number
      readonly first: boolean
    }
  | { readonly kind: 'recovered'; readonly restarts: number; readonly afterMs: number; readonly sinceFailureMs: number }
  | { readonly kind: 'not-restarting'; readonly why: NotRestarting; readonly failures: number; readonly detail: string }
  | { readonly kind: 'gave-up'; readonly restarts: number; readonly reason: string }
  | { readonly kind: 'never-healthy'; readonly reason: string }

export type Level = 'info' | 'warn' | 'error'

/** The log line about the container `name`. */
export function describe(name: string, happening: Happening): { readonly level: Level; readonly message: string } {
  const { level, text } = words(name, happening)
  return { level, message: text }
}

function words(name: string, happening: Happening): { level: Level; text: string } {
  switch (happening.kind) {
    case 'healthy':
      return { level: 'info', text: `${name} — healthy: ${happening.reason}` }
    case 'failing':
      return { level: 'warn', text: `${name} — unhealthy (${happening.failures}/${happening.threshold}): ${happening.reason}` }
    case 'starting':
      return { level: 'info', text: `${name} — starting: ${happening.reason}` }
    case 'unknown':
      return { level: 'warn', text: `${name} — unknown: ${happening.reason}` }
    case 'not-running': {
      const exit =
        happening.status === 'exited' || happening.status === 'restarting' ? ` with exit code ${happening.exitCode}` : ''
      return {
        level: 'warn',
        text: `${name} — not running: ${happening.status}${exit}${happening.oomKilled ? ', out of memory' : ''}`,
      }
    }
    case 'new-run':
      return {
        level: 'info',
        text:
          happening.by === 'docker'
            ? `${name} — restarted by Docker's own restart policy`
            : `${name} — started anew by someone else`,
      }
    case 'healed-itself':
      return {
        level: 'info',
        text: `${name} — healthy again without a restart, after ${times(happening.failures, 'failed check')} in ${renderDuration(happening.afterMs)}`,
      }
    case 'restarting':
      return { level: 'warn', text: `RESTARTING ${name} — failed ${times(happening.failures, 'consecutive health check')}` }
    case 'restarted':
      return { level: 'info', text: `Successfully restarted: ${name} (took ${renderDuration(happening.tookMs)})` }
    case 'restart-found':
      return { level: 'info', text: `Successfully restarted: ${name} (found now: the answer to its restart never came)` }
    case 'restart-failed':
      return {
        level: 'error',
        text: `Failed to restart ${name} (attempt ${happening.attempt} of ${happening.maxRestarts}): ${happening.message}`,
      }
    case 'recovered':
      return { level: 'info', text: `${name} — recovered: healthy ${recovery(happening)}` }
    case 'not-restarting':
      return { level: 'warn', text: notRestarting(name, happening) }
    case 'gave-up':
      return {
        level: 'error',
        text: `${name} — gave up after ${times(happening.restarts, 'attempt')} to restart it without ten healthy minutes in between (${happening.reason}); restart or recreate it by hand once it is mended`,
      }
    case 'never-healthy':
      return {
        level: 'warn',
        text: `${name} — never succeeded: misconfigured? (${happening.reason}) It is not restarted before its first success; healer.arm=immediately would`,
      }
    default:
      return happening satisfies never
  }
}

function notRestarting(name: string, { why, failures, detail }: Extract<Happening, { kind: 'not-restarting' }>): string {
  if (why === 'dry-run') return `DRY RUN: would restart ${name} — failed ${times(failures, 'consecutive health check')}`
  return `${name} — not restarted (${why}): ${detail}`
}

function recovery({ restarts, afterMs, sinceFailureMs }: Extract<Happening, { kind: 'recovered' }>): string {
  const sinceFailure = `${renderDuration(sinceFailureMs)} after the first failed check`
  if (restarts === 0) return `again, ${sinceFailure}`
  return `${renderDuration(afterMs)} after ${restarts === 1 ? 'the restart' : `restart ${restarts}`}, ${sinceFailure}`
}

function times(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`
}
