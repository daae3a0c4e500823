// The receivers of alerts that are set: by variables of the environment, and by ALERTS_FILE. They are read once, at the start.
import { readFileSync } from 'node:fs'
import { type AlertingVariables, EnvironmentError } from '../settings/environment.ts'
import { type ListedReceiver, parseAlertsFile } from './alerts-file.ts'
import type { Receiver } from './receiver.ts'
import { createAlertmanager } from './receivers/alertmanager.ts'
import { createPagerduty } from './receivers/pagerduty.ts'
import { createSlack } from './receivers/slack.ts'
import { createWebhook } from './receivers/webhook.ts'
import { DEFAULT_EVENTS, nameAll, type ReceiverKind } from './receivers.ts'

const readText = (path: string) => readFileSync(path, 'utf8')

/** Throws `EnvironmentError` with a line for each mistake in ALERTS_FILE. */
export function loadReceivers(variables: AlertingVariables, readFile: (path: string) => string = readText): readonly Receiver[] {
  const listed = [...ofEnvironment(variables), ...(variables.file === undefined ? [] : ofFile(variables.file, readFile))]
  const names = nameAll(listed)
  return listed.map(({ receiver }, index) => ({ ...receiver, name: names[index] ?? receiver.name }))
}

/** One of each kind at most, told of everything that is told by default. */
function ofEnvironment(variables: AlertingVariables): readonly ListedReceiver[] {
  const { slackWebhookUrl, pagerdutyRoutingKey, alertmanagerUrl, webhookUrl, webhookSecret } = variables
  const common = (name: ReceiverKind) => ({ name, events: DEFAULT_EVENTS, isFor: () => true })
  const receivers: Partial<Record<ReceiverKind, Receiver | undefined>> = {
    slack: slackWebhookUrl && createSlack({ webhook_url: slackWebhookUrl }, common('slack')),
    pagerduty: pagerdutyRoutingKey && createPagerduty({ routing_key: pagerdutyRoutingKey }, common('pagerduty')),
    alertmanager:
      alertmanagerUrl === undefined ? undefined : createAlertmanager({ url: alertmanagerUrl }, common('alertmanager')),
    webhook: webhookUrl && createWebhook({ url: webhookUrl, secret: webhookSecret }, common('webhook')),
  }
  return Object.entries(receivers).flatMap(([kind, receiver]) =>
    receiver ? [{ kind: kind as ReceiverKind, name: undefined, receiver }] : [],
  )
}

function ofFile(file: string, readFile: (path: string) => string): readonly ListedReceiver[] {
  const parsed = parseAlertsFile(readAlertsFile(file, readFile), file, readFile)
  if ('problems' in parsed) throw new EnvironmentError(parsed.problems.join('\n'))
  return parsed.receivers
}

function readAlertsFile(file: string, readFile: (path: string) => string): string {
  try {
    return readFile(file)
  } catch (error) {
    throw new EnvironmentError(`ALERTS_FILE is “${file}”, which cannot be read: ${(error as NodeJS.ErrnoException).code}`)
  }
}
