// The alerts that fire for containers, as Alertmanager tells of them: kept over a restart of the healer, in a file of their own. Those
// that nobody repeats are forgotten. Does not judge what they mean.
import { join } from 'node:path'
import type { Logger } from 'pino'
import * as z from 'zod'
import {
  type FiringRule,
  type FiringRules,
  FORGET_AFTER_MS,
  forgotten,
  MAX_RULES,
  type RuleAlert,
  ruleKey,
  type Taken,
  takeAlerts,
} from '../health/rules.ts'
import type { Clock } from '../loop/clock.ts'
import { renderDuration } from '../settings/duration.ts'
import { createStateWriter, loadState } from './state-file.ts'
import { toPastMs, toWallTime } from './times.ts'

export type RuleStore = {
  /** What fires for the container of that name, the longest first. */
  readonly firing: (container: string) => readonly FiringRule[]
  /** Resolves once what changed is on the disk, or once it was said in the log that it is not. */
  readonly take: (alerts: readonly RuleAlert[]) => Promise<Omit<Taken, 'rules'>>
  /** Resolves once nothing is left to write. */
  readonly written: () => Promise<void>
}

const VERSION = 1
const ruleSchema = z.strictObject({
  container: z.string(),
  fingerprint: z.string(),
  name: z.string(),
  summary: z.string(),
  /** RFC 3339, as every time here. */
  since: z.iso.datetime(),
  renewed: z.iso.datetime(),
})
const FORMAT = {
  schema: z.strictObject({ version: z.literal(VERSION), rules: z.array(ruleSchema).max(MAX_RULES) }),
  version: VERSION,
  whenSetAside: 'no alert counts as firing before Alertmanager tells of it again',
}

/** Opens the store in `directory`. A file that cannot be understood is set aside. Rejects where it cannot be read. */
export async function openRules(directory: string, clock: Clock, log: Logger): Promise<RuleStore> {
  const file = join(directory, 'rules.json')
  const stored = (await loadState(file, FORMAT, log))?.rules ?? []
  let rules: FiringRules = new Map(stored.map((rule) => [ruleKey(rule), fromStored(rule, clock)]))
  const content = () => ({ version: VERSION, rules: [...rules.values()].map((rule) => toStored(rule, clock)) })
  const { saveSoon, written } = createStateWriter(file, content, log)

  const forget = () => {
    const old = forgotten(rules, clock.monotonicMs())
    if (old.length === 0) return
    const kept = new Map(rules)
    for (const rule of old) {
      kept.delete(ruleKey(rule))
      log.warn(
        { container: rule.container, event: 'rule-forgotten' },
        `${rule.container} — alert ${rule.name} counts as ended: Alertmanager has not repeated it for ${renderDuration(FORGET_AFTER_MS)}; its repeat_interval has to be shorter`,
      )
    }
    rules = kept
    void saveSoon()
  }
  return {
    firing(container) {
      forget()
      return [...rules.values()].filter((rule) => rule.container === container)
    },
    async take(alerts) {
      forget()
      const { rules: next, ...taken } = takeAlerts(rules, alerts, clock.monotonicMs())
      rules = next
      for (const { container, name, summary } of taken.began)
        log.warn({ container, event: 'rule-firing' }, `${container} — alert ${name} fires${summary === '' ? '' : `: ${summary}`}`)
      for (const { container, name } of taken.ended)
        log.info({ container, event: 'rule-ended' }, `${container} — alert ${name} has ended`)
      if (taken.began.length + taken.renewed.length + taken.ended.length > 0) await saveSoon()
      return taken
    },
    written,
  }
}

function toStored({ sinceMs, renewedMs, ...rule }: FiringRule, clock: Clock): z.infer<typeof ruleSchema> {
  return { ...rule, since: toWallTime(sinceMs, clock), renewed: toWallTime(renewedMs, clock) }
}

function fromStored({ since, renewed, ...rule }: z.infer<typeof ruleSchema>, clock: Clock): FiringRule {
  return { ...rule, sinceMs: toPastMs(since, clock), renewedMs: toPastMs(renewed, clock) }
}
