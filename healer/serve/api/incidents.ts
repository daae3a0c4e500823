// An incident as the JSON API shows it.
import type { Incident } from '../../alert/incidents.ts'
import type { IncidentAnswer } from './schemas.ts'

const time = (ms: number) => new Date(ms).toISOString()

export function showIncident({ key, container, sinceMs, endedMs, steps, diagnosis, toldTo }: Incident): IncidentAnswer {
  return {
    key,
    container,
    since: time(sinceMs),
    ended: endedMs === undefined ? null : time(endedMs),
    steps: steps.map(({ atMs, what, message }) => ({ at: time(atMs), what, message })),
    diagnosis: diagnosis
      ? { ...diagnosis, failures: diagnosis.failures.map(({ atMs, reason }) => ({ at: time(atMs), reason })) }
      : null,
    toldTo: [...toldTo],
  }
}
