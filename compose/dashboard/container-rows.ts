// What the dashboard shows of the containers: a row for each question that an operator asks, the first ones first, and in it the panels
// that answer it. Each query is run against a real Prometheus by test/engine/prometheus.test.ts; how a panel looks is in panel.ts.
import { bars, gauges, heatmap, lines, number, type Row, timeline } from './panel.ts'
import {
  GOOD_AT_NONE,
  HEALTH_NUMBER,
  HEALTH_STATES,
  NOTED_AT_ONE,
  OF_CONTAINER,
  OF_HEALER,
  orNone,
  orZero,
  REASON_NUMBER,
  REASON_STATES,
} from './queries.ts'

const isAllWell: Row = {
  title: 'Is all well?',
  panels: [
    number({
      title: 'Containers watched',
      description: 'Containers that opted in, by a label. None: look at the labels, or at the links below.',
      ...{ width: 4, steps: [['red'], ['text', 1]] },
      expr: `sum(postern_healer_containers{${OF_HEALER}})`,
    }),
    number({
      title: 'Failing',
      description: 'Containers that are suspect or unhealthy: their last probe failed.',
      ...{ width: 4, steps: GOOD_AT_NONE },
      expr: orZero(`sum(postern_healer_container_health{${OF_CONTAINER}, health=~"suspect|unhealthy"})`),
    }),
    number({
      title: 'Incidents open',
      description:
        'From the first failure that counts until the container is well again. Steps and diagnosis are on the status page.',
      ...{ width: 4, steps: GOOD_AT_NONE },
      expr: `sum(postern_healer_incidents_open{${OF_HEALER}})`,
    }),
    number({
      title: 'Restarts due, not made',
      description:
        'Containers whose restart is due and is not made. The reasons are below, under “What is healed, and what is not?”.',
      ...{ width: 4, steps: NOTED_AT_ONE },
      expr: orZero(`count(postern_healer_restart_held{${OF_CONTAINER}} == 1)`),
    }),
    number({
      title: 'Labels that are wrong',
      description:
        'Labels under `healer.` that are not understood. `postern-healer check` names them, with the nearest right one.',
      ...{ width: 4, steps: NOTED_AT_ONE },
      expr: orZero(`sum(postern_healer_label_problems{${OF_CONTAINER}})`),
    }),
    number({
      title: 'Alerts of Postern’s own',
      description: 'Alerts that fire now. docs/runbook.md has a section for each: what it means, and what to do.',
      ...{ width: 4, steps: GOOD_AT_NONE },
      expr: 'count(ALERTS{alertname=~"Postern.+", alertstate="firing"}) or vector(0)',
    }),
    timeline({
      title: 'Links',
      description:
        'From Prometheus to the Engine, link by link; of several healers the worst. Without the last three nothing is restarted.',
      ...{ width: 18, height: 6 },
      queries: [
        { expr: `min(up{${OF_HEALER}})`, legend: 'Prometheus to healer' },
        { expr: `min(postern_healer_proxy_metrics_up{${OF_HEALER}})`, legend: 'healer to the proxy’s metrics' },
        { expr: `min(postern_healer_docker_up{${OF_HEALER}})`, legend: 'healer to Docker, by the proxy' },
        { expr: `min(postern_proxy_engine_up{${OF_HEALER}})`, legend: 'proxy to Engine' },
      ],
      states: [
        { value: 0, text: 'down', color: 'red' },
        { value: 1, text: 'up', color: 'green' },
      ],
    }),
    number({
      title: 'Hold',
      description:
        'Held: most containers began to fail at once, which is rather the network or the host. Nothing is restarted until HOLD_MAX.',
      ...{ width: 6, height: 6, steps: GOOD_AT_NONE },
      states: [
        { value: 0, text: 'no', color: 'green' },
        { value: 1, text: 'held', color: 'red' },
      ],
      expr: `max(postern_healer_hold{${OF_HEALER}})`,
    }),
  ],
}

const howIsEach: Row = {
  title: 'How is each container?',
  panels: [
    timeline({
      title: 'Health',
      description: 'Unknown: the healer could not tell, for want of a port, a shared network, or because it does not run.',
      ...{ width: 24, height: 9, states: HEALTH_STATES },
      queries: [{ expr: HEALTH_NUMBER, legend: '{{container}}' }],
    }),
    gauges({
      title: 'Probes that succeeded',
      description:
        'The share of the time shown in which the last probe had succeeded, the worst twenty. What was unknown is left out.',
      ...{ width: 12, unit: 'percentunit', max: 1, steps: [['red'], ['orange', 0.99], ['green', 0.999]] },
      expr: `bottomk(20, avg by (container) (avg_over_time(postern_healer_probe_success{${OF_CONTAINER}}[$__range])))`,
      legend: '{{container}}',
    }),
    gauges({
      title: 'Ill by a metric',
      description: 'Alerts that fire for a container, which the healer takes for a failure though its probe succeeds.',
      ...{ width: 12, unit: 'none', steps: NOTED_AT_ONE },
      expr: orNone('rule', `sum by (container, rule) (postern_healer_rule_firing{${OF_CONTAINER}})`),
      legend: '{{container}} {{rule}}',
    }),
  ],
}

const howFast: Row = {
  title: 'How fast do they answer?',
  panels: [
    heatmap({
      title: 'Probe latency',
      description:
        'How many probes over the network took how long, those that failed among them: a row at the timeout is a hang.',
      ...{ width: 12, unit: 's' },
      expr: `sum by (le) (increase(postern_healer_probe_seconds_bucket{${OF_CONTAINER}}[$__rate_interval]))`,
    }),
    lines({
      title: 'Slowest containers',
      description: 'The time within which 95 of 100 probes were over, of the ten containers that take longest.',
      ...{ width: 12, unit: 's' },
      queries: [
        {
          expr: `topk(10, histogram_quantile(0.95, sum by (container, le) (rate(postern_healer_probe_seconds_bucket{${OF_CONTAINER}}[$__rate_interval]))))`,
          legend: '{{container}}',
        },
      ],
    }),
  ],
}

const whatIsHealed: Row = {
  title: 'What is healed, and what is not?',
  panels: [
    timeline({
      title: 'Why a restart is not made',
      description: 'The reason, while one is due. docs/healer.md says of each what ends it; red ones take a person.',
      ...{ width: 24, height: 9, states: REASON_STATES },
      queries: [{ expr: REASON_NUMBER, legend: '{{container}}' }],
    }),
    bars({
      title: 'Restarts',
      description:
        'Restarts that the healer asked for, by container and outcome. Many of one container: a restart does not mend it.',
      width: 12,
      queries: [
        {
          expr: orNone(
            'container',
            `round(sum by (container, outcome) (increase(postern_healer_restarts_total{${OF_CONTAINER}}[$__rate_interval]))) > 0`,
          ),
          legend: '{{container}} {{outcome}}',
        },
      ],
    }),
    lines({
      title: 'Incidents',
      description: 'Incidents that are open. Those that stay open are what healing does not mend.',
      ...{ width: 12, unit: 'none', stepped: true },
      queries: [{ expr: `sum(postern_healer_incidents_open{${OF_HEALER}})`, legend: 'open' }],
    }),
  ],
}

export const CONTAINER_ROWS: readonly Row[] = [isAllWell, howIsEach, howFast, whatIsHealed]
