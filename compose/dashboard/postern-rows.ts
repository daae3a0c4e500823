// What the dashboard shows of Postern itself: what the proxy decides, the audit log, who is told, and the programs. As in
// container-rows.ts, a row is a question, and each query is run by a test.
import { bars, gauges, lines, number, type Row } from './panel.ts'
import { NOTED_AT_ONE, OF_HEALER, orNone } from './queries.ts'

const DECISIONS = `postern_proxy_decisions_total{${OF_HEALER}}`
const REFUSALS = `postern_proxy_decisions_total{${OF_HEALER}, verdict=~"deny|observe"}`

const whatTheProxyLetsThrough: Row = {
  title: 'What does the proxy let through?',
  panels: [
    lines({
      title: 'Decisions',
      description: 'Requests a second by verdict. “observe”: a policy refuses it, and it passes since the proxy only observes.',
      ...{ width: 8, unit: 'reqps', stacked: true, colors: { allow: 'green', deny: 'red', observe: 'orange' } },
      queries: [{ expr: `sum by (verdict) (rate(${DECISIONS}[$__rate_interval]))`, legend: '{{verdict}}' }],
    }),
    bars({
      title: 'Refusals',
      description:
        'Requests that a policy refuses, by client. A healer that asks for more than its policy allows is not what it was.',
      width: 8,
      queries: [
        {
          // A kind of refusal that never was before has no earlier sample: the second part counts from 0 on.
          expr: `round(increase((sum by (client) (${REFUSALS}) or sum by (client) (${DECISIONS}) * 0)[$__rate_interval:5s]))`,
          legend: '{{client}}',
        },
      ],
    }),
    gauges({
      title: 'Refusals by operation and rule',
      description: 'Since the proxy was started, the most frequent first. docs/proxy.md says what each rule means.',
      ...{ width: 8, unit: 'none', steps: NOTED_AT_ONE },
      expr: orNone('rule', `topk(15, sum by (client, operation, rule) (${REFUSALS}))`),
      legend: '{{client}} {{operation}} {{rule}}',
    }),
    lines({
      title: 'Budget left',
      description:
        'How often an operation may still be done now, of the client, and of the container that has the fewest left. At 0 it waits.',
      ...{ width: 8, unit: 'none', stepped: true },
      queries: [
        {
          expr: `min by (client, operation, of) (postern_proxy_budget_left{${OF_HEALER}})`,
          legend: '{{client}} {{operation}} of the {{of}}',
        },
      ],
    }),
    lines({
      title: 'Time to answer',
      description: 'The time within which 95 of 100 requests were answered, the Engine included, by verdict.',
      ...{ width: 8, unit: 's', colors: { allow: 'green', deny: 'red', observe: 'orange' } },
      queries: [
        {
          expr: `histogram_quantile(0.95, sum by (verdict, le) (rate(postern_proxy_request_duration_seconds_bucket{${OF_HEALER}}[$__rate_interval])))`,
          legend: '{{verdict}}',
        },
      ],
    }),
    number({
      title: 'Policy',
      description: 'Not taken: the file has a mistake, and the policy before it is in force. The proxy’s log has the line.',
      ...{ width: 4, steps: [['text']] },
      states: [
        { value: 0, text: 'not taken', color: 'red' },
        { value: 1, text: 'in force', color: 'green' },
      ],
      expr: `min(postern_proxy_policy_last_reload_successful{${OF_HEALER}})`,
    }),
    number({
      title: 'Proxy',
      description:
        'Only observing: started with `--observe`, it lets pass what the policy refuses, but for what amounts to root.',
      ...{ width: 4, steps: [['text']] },
      states: [
        { value: 0, text: 'enforcing', color: 'green' },
        { value: 1, text: 'only observing', color: 'orange' },
      ],
      expr: `max(postern_proxy_observing{${OF_HEALER}})`,
    }),
  ],
}

const isItOnRecord: Row = {
  title: 'Is it on record?',
  panels: [
    lines({
      title: 'Audit log',
      description:
        'Its last line, by what the log is known by. It only grows: a fall, or another log, is one that was cut or begun anew.',
      ...{ width: 12, unit: 'none', stepped: true },
      queries: [{ expr: `max by (fingerprint) (postern_proxy_audit_sequence{${OF_HEALER}})`, legend: '{{fingerprint}}' }],
    }),
    bars({
      title: 'Lines that could not be written',
      description: 'While there are any, no container is restarted: room on the disk mends it.',
      width: 12,
      queries: [
        {
          expr: `round(sum(increase(postern_proxy_audit_failures_total{${OF_HEALER}}[$__rate_interval])))`,
          legend: 'not written',
        },
      ],
    }),
  ],
}

const wasAnybodyTold: Row = {
  title: 'Was anybody told?',
  panels: [
    bars({
      title: 'Alerts',
      description: 'Alerts by receiver and outcome: delivered, failed and tried again, or dropped.',
      width: 8,
      queries: [
        {
          expr: orNone(
            'receiver',
            `round(sum by (receiver, outcome) (increase(postern_healer_alerts_total{${OF_HEALER}}[$__rate_interval]))) > 0`,
          ),
          legend: '{{receiver}} {{outcome}}',
        },
      ],
    }),
    lines({
      title: 'Alerts that wait',
      description:
        'Alerts that a receiver is still to be told of. They outlive a restart of the healer. None: there is no receiver.',
      ...{ width: 8, unit: 'none', stepped: true },
      queries: [
        { expr: orNone('receiver', `sum by (receiver) (postern_healer_outbox_alerts{${OF_HEALER}})`), legend: '{{receiver}}' },
      ],
    }),
    lines({
      title: 'The oldest that waits',
      description:
        'For how long it has waited. Above a quarter of an hour nobody is told: look at the healer’s log for what the receiver answers.',
      ...{ width: 8, unit: 's', steps: [['green'], ['red', 900]] },
      queries: [
        {
          expr: orNone('receiver', `max by (receiver) (postern_healer_outbox_oldest_seconds{${OF_HEALER}})`),
          legend: '{{receiver}}',
        },
      ],
    }),
  ],
}

const areThePrograms: Row = {
  title: 'Are the programs themselves well?',
  panels: [
    lines({
      title: 'Since the loop came round',
      description: 'A healer that stands still probes nothing and says nothing. Its own health check fails, too.',
      ...{ width: 8, unit: 's', steps: [['green'], ['red', 300]] },
      queries: [{ expr: `postern_healer_loop_age_seconds{${OF_HEALER}}`, legend: '{{instance}}' }],
    }),
    lines({
      title: 'Memory',
      description: 'What each program holds. The composition gives a container 192 MB, health checks included.',
      ...{ width: 8, unit: 'bytes', steps: [['green'], ['red', 192 * 1024 * 1024]] },
      queries: [
        { expr: `postern_healer_process_resident_memory_bytes{${OF_HEALER}}`, legend: 'healer {{instance}}' },
        { expr: `postern_proxy_process_resident_memory_bytes{${OF_HEALER}}`, legend: 'proxy of {{instance}}' },
      ],
    }),
    lines({
      title: 'Held up',
      description:
        'For how long something that was ready to run had to wait, at worst but for one time in a hundred. Much: too little CPU.',
      ...{ width: 8, unit: 's' },
      queries: [
        { expr: `postern_healer_nodejs_eventloop_lag_p99_seconds{${OF_HEALER}}`, legend: 'healer {{instance}}' },
        { expr: `postern_proxy_nodejs_eventloop_lag_p99_seconds{${OF_HEALER}}`, legend: 'proxy of {{instance}}' },
      ],
    }),
  ],
}

export const POSTERN_ROWS: readonly Row[] = [whatTheProxyLetsThrough, isItOnRecord, wasAnybodyTold, areThePrograms]
