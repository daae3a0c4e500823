// The settings that hold, each with where it came from, as one would write it. Secrets, and what may be one, are not shown.
import { VARIABLES } from '../settings/environment.ts'
import { LABELS, type LabelRow } from '../settings/labels.ts'
import type { ProbeKind } from '../settings/probe-settings.ts'

export type Explained = {
  readonly name: string
  /** As one would write it; `null`: not set. */
  readonly value: string | null
  /** `environment`, `default`, the variable or the label that it was taken from, or `default of` a variable. */
  readonly from: string
}

const HIDDEN = '(not shown)'

/** The healer's own settings. A value is as it was given, right or wrong. */
export function explainEnvironment(env: NodeJS.ProcessEnv): readonly Explained[] {
  return Object.entries(VARIABLES).map(([name, variable]) => {
    const byDefault = 'default' in variable ? variable.default : null
    if ('secret' in variable) {
      const file = env[`${name}_FILE`]
      if (file) return { name, value: HIDDEN, from: `${name}_FILE` }
      return env[name] ? { name, value: HIDDEN, from: 'environment' } : { name, value: null, from: 'default' }
    }
    const given = env[name]
    return given === undefined ? { name, value: byDefault, from: 'default' } : { name, value: given || null, from: 'environment' }
  })
}

/** Settings that are said by the description of the probe. */
const IN_PROBE = ['probe', 'port', 'headers.NAME']
const OF_TLS = ['ca_file', 'tls_verify']

/** The settings of a container that its probe, of `kind`, goes by; `kind` is `undefined` where nobody can tell it. */
export function explainLabels(
  labels: Readonly<Record<string, string>>,
  kind: ProbeKind | undefined,
  environment: readonly Explained[],
): readonly Explained[] {
  const rows: readonly (readonly [string, LabelRow<unknown>])[] = Object.entries(LABELS)
  const isLeftOut = (name: string) => IN_PROBE.includes(name) || (OF_TLS.includes(name) && labels['healer.scheme'] !== 'https')
  const settings = rows
    .filter(([name, { probes }]) => !isLeftOut(name) && (kind === undefined || !probes || probes.includes(kind)))
    .filter(([, { describes }]) => kind !== undefined || !describes)
    .flatMap(([name, row]) => explainLabel(name, row, labels, environment) ?? [])
  const headers = Object.keys(labels).filter((label) => label.startsWith('healer.headers.'))
  return [
    ...settings,
    ...(kind === 'http' ? headers.map((label) => ({ name: label.slice('healer.'.length), value: HIDDEN, from: label })) : []),
  ]
}

function explainLabel(
  name: string,
  row: LabelRow<unknown>,
  labels: Readonly<Record<string, string>>,
  environment: readonly Explained[],
): Explained | undefined {
  const given = (label: string, { parse }: LabelRow<unknown>): Explained | undefined => {
    const text = labels[`healer.${label}`]
    return text !== undefined && parse(text) !== undefined ? { name, value: text, from: `healer.${label}` } : undefined
  }
  const ofVariable = (variable: string): Explained | undefined => {
    const found = environment.find((setting) => setting.name === variable)
    if (!found || found.value === null) return undefined
    return { name, value: found.value, from: found.from === 'default' ? `default of ${variable}` : variable }
  }
  const own = given(name, row)
  if (own) return own
  // The one setting that goes by another.
  if (name === 'retry_interval')
    return given('interval', LABELS.interval) ?? ofVariable('RETRY_INTERVAL') ?? ofVariable('CHECK_INTERVAL')
  if (row.variable !== undefined) return ofVariable(row.variable)
  return row.default === undefined ? undefined : { name, value: row.default, from: 'default' }
}
