// What the compose snippets of docs/policies.md need to be brought up in a test: an image of this tree, and clients that are to be had here.
import { SNIPPETS } from '../../support/ready-policies.ts'

/** A program in place of a client that is not to be had here: as nobody, with the groups and volumes of its snippet. */
const STAND_IN = {
  image: 'node:24-bookworm-slim',
  user: '65534:65534',
  entrypoint: [
    'node',
    '-e',
    `require('http').get({ socketPath: '/run/postern/docker.sock', path: '/_ping' }, (answer) => { console.log('answered', answer.statusCode); process.exit() })`,
  ],
  command: [],
}

/** The image of this tree under a name of its own, ports that are free, and stand-ins. */
export const OVERRIDE = JSON.stringify({
  services: {
    postern: { image: 'postern-ready-proxy' },
    prometheus: { ports: ['127.0.0.1::9090'] },
    ...Object.fromEntries(['autoheal', 'dozzle', 'homepage', 'look', 'traefik', 'uptime-kuma'].map((name) => [name, STAND_IN])),
  },
})

/** What the snippet says of it, asked for more often. */
export function prometheusConfiguration(): string {
  const [, shown = ''] = /^# {3}(scrape_configs: .*)$/m.exec(SNIPPETS.get('prometheus') ?? '') ?? []
  return shown.replace('docker.sock }', 'docker.sock, refresh_interval: 1s }')
}
