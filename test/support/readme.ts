// The commands and snippets of README.md, and where each is run by a test.
import { readFileSync } from 'node:fs'
import { blocks } from './pages.ts'

const README = readFileSync('README.md', 'utf8')

/** The lines of its shell blocks, in order. */
export const readmeCommands: readonly string[] = blocks(README, 'sh').flatMap((block) => block.trim().split('\n'))

/** The texts of its blocks of YAML. */
export const readmeYaml: readonly string[] = blocks(README, 'yaml')

const COMPOSE = 'docker compose -f compose/compose.yaml'

/** Run by test/readme.test.ts, on the embedded engine. `npm ci` before, and `npm cit`, are what CI itself runs. */
export const ON_EMBEDDED = [
  'npm ci && npm start',
  'npm run demo',
  'curl localhost:8080/health',
  'curl localhost:8081/readyz',
  'curl -X POST localhost:8080/break',
  'npm run simulate-failure',
] as const

/** Run by test/engine/readme.test.ts. */
export const ON_ENGINE = [
  `${COMPOSE} --profile demo --profile monitoring up --build`,
  `${COMPOSE} logs --follow healer`,
  `SLACK_WEBHOOK_URL=https://hooks.slack.com/services/T000/B000/XXXX ${COMPOSE} up --detach healer`,
  `DRY_RUN=true ${COMPOSE} up --detach healer`,
  `${COMPOSE} --profile '*' down`,
] as const

/** Those of docs/deploy.md, run by test/engine/deploy.test.ts. */
export const ON_DEPLOYING = [
  'docker compose up --detach --build proxy healer web',
  'docker compose exec healer node /app/healer.mjs check',
] as const

/** What runs these very tests. */
export const BY_CI = ['npm cit'] as const
