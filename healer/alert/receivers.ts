// The kinds of receivers of alerts, each in a file of its own, and how one is made of its settings. Nothing is read or sent here.
import type * as z from 'zod'
import { ALERT_EVENTS, type AlertEvent } from './alert.ts'
import type { Receiver } from './receiver.ts'
import { alertmanagerSettings, createAlertmanager } from './receivers/alertmanager.ts'
import { createPagerduty, pagerdutySettings } from './receivers/pagerduty.ts'
import { createSlack, slackSettings } from './receivers/slack.ts'
import { createWebhook, webhookSettings } from './receivers/webhook.ts'
import type { Common } from './setting.ts'

/** What a receiver is told of where nothing is said: a person need not act on what has only begun. */
export const DEFAULT_EVENTS: readonly AlertEvent[] = ALERT_EVENTS.filter((event) => event !== 'opened')

type Issue = z.core.$ZodIssue

type Kind = {
  /** The names of its settings. */
  readonly settings: readonly string[]
  /** Those of them that are secrets, each of which a file can hold: the same name with `_file` says which. */
  readonly secrets: readonly string[]
  /** The receiver, or what is wrong with `settings`, in which nothing is a file any more. */
  readonly create: (
    settings: Readonly<Record<string, unknown>>,
    common: Common,
  ) => { readonly receiver: Receiver } | { readonly issues: readonly Issue[] }
}

function kind<S>(
  schema: z.ZodType<S> & { readonly shape: object },
  secrets: readonly string[],
  createReceiver: (settings: S, common: Common) => Receiver,
): Kind {
  return {
    settings: Object.keys(schema.shape),
    secrets,
    create(settings, common) {
      const result = schema.safeParse(settings)
      return result.success ? { receiver: createReceiver(result.data, common) } : { issues: result.error.issues }
    },
  }
}

/** The word for each kind in ALERTS_FILE. docs/alerts.md is held to it by a test. */
export const RECEIVERS = {
  slack: kind(slackSettings, ['webhook_url'], createSlack),
  pagerduty: kind(pagerdutySettings, ['routing_key'], createPagerduty),
  alertmanager: kind(alertmanagerSettings, ['password', 'bearer_token'], createAlertmanager),
  webhook: kind(webhookSettings, ['url', 'secret'], createWebhook),
} as const satisfies Record<string, Kind>

export type ReceiverKind = keyof typeof RECEIVERS

export const RECEIVER_KINDS = Object.keys(RECEIVERS) as readonly ReceiverKind[]

/** Every setting of `kind` as it may stand in a file, with `_file` after the secrets. */
export function settingNames(kind: ReceiverKind): readonly string[] {
  const { settings, secrets }: Kind = RECEIVERS[kind]
  return settings.flatMap((name) => (secrets.includes(name) ? [name, `${name}_file`] : [name]))
}

/** Whether a container's whole name is one of `patterns`, in which `*` stands for any run of characters; takes linear time. */
export function namesMatcher(patterns: readonly string[]): (name: string) => boolean {
  const all = patterns.map((pattern) => pattern.split('*'))
  return (name) => all.some((parts) => matches(name, parts))
}

/** Whether `name` is `parts` with anything between them. */
function matches(name: string, [first = '', ...others]: readonly string[]): boolean {
  const last = others.pop()
  if (last === undefined) return name === first
  if (!name.startsWith(first)) return false
  let from = first.length
  for (const part of others) {
    const found = name.indexOf(part, from)
    if (found < 0) return false
    from = found + part.length
  }
  return name.length - last.length >= from && name.endsWith(last)
}

/** A receiver before it has its name. */
export type Unnamed = { readonly kind: ReceiverKind; readonly name: string | undefined }

/** A name for each: its own, or that of its kind, with `-2`, `-3`, … where that is taken. Own names are not taken twice. */
export function nameAll(receivers: readonly Unnamed[]): readonly string[] {
  const taken = new Set(receivers.map(({ name }) => name))
  return receivers.map(({ kind, name }) => {
    if (name !== undefined) return name
    let free: string = kind
    for (let number = 2; taken.has(free); number++) free = `${kind}-${number}`
    taken.add(free)
    return free
  })
}
