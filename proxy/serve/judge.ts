// What becomes of a request before it is forwarded: its body is read, its container found, and it is decided on. What passes is reserved in
// the same turn. Never forwards anything.
import { type Approved, type Charge, decide, type Known } from '../policy/decide.ts'
import type { ContainerId } from '../policy/target.ts'
import type { ApiRequest } from '../request/api-request.ts'
import { maxBodyBytes, readBody } from '../request/read-body.ts'
import { type Refusal, refuse } from '../request/refusal.ts'
import { engineRefusal, findTarget, withOwnKnowledge } from './find-target.ts'
import type { Client } from './handle.ts'
import type { Incoming } from './incoming.ts'
import type { RestartedRun } from './ledger.ts'

export const WAITED_TOO_LONG: Refusal = {
  ...refuse(503, 'request.busy', 'earlier answers of this client are not taken yet, or the Engine is slow with them; try again'),
  retryAfterSeconds: 1,
}

/** `request` with its body, where that is JSON. What is refused without it is refused unread. */
export async function withBody(client: Client, request: ApiRequest, incoming: Incoming): Promise<ApiRequest | Refusal> {
  if (!request.announced || request.operation.body === 'tar') return request
  if (!client.observed && decideNow(client, request, { target: 'not asked' }).verdict === 'deny') return request
  const taken = await client.bodyTurns.take()
  if (!taken) return WAITED_TOO_LONG
  try {
    const text = await incoming.readBody(maxBodyBytes(request.operation))
    return typeof text === 'string' ? readBody(request, text) : text
  } finally {
    taken()
  }
}

/** What became of a request before it is forwarded. */
export type Judged = {
  readonly known: Known
  readonly decision: Approved | Refusal
  /** For a change that passed: its charge is in the ledger, and its container is taken. */
  readonly reserved?: Reservation
}

/** Decides on `request`; the one who lets it through, or not, ends its reservation. */
export async function judge(client: Client, request: ApiRequest): Promise<Judged> {
  let known: Known = { target: 'not asked' }
  let decision = decideNow(client, request, known)
  if (decision.verdict === 'deny') return { decision, known }
  const lacking = await checkVersion(client, request)
  if (lacking) return { decision: lacking, known }
  if (decision.verdict === 'resolve') {
    const found = await findTarget(client, request, decision.need)
    if ('verdict' in found) return { decision: found, known }
    known = withOwnKnowledge(client, found)
  }
  // From here to the reservation nothing waits, so that no other request can decide on the same budget or target.
  decision = decideNow(client, request, known)
  if (decision.verdict === 'resolve') throw new Error(`${request.operation.id} still asks for its target`)
  if (decision.verdict === 'deny' || !decision.charge) return { decision, known }
  return { decision, known, reserved: reserve(client, decision.charge, known) }
}

export type Reservation = {
  readonly charge: Charge
  /** Where the change is to a container. */
  readonly run: (RestartedRun & { readonly id: ContainerId }) | undefined
  /** To be called when the change is over. */
  readonly over: () => void
}

function reserve({ ledger, changes }: Client, charge: Charge, known: Known): Reservation {
  const run = known.target === 'inspected' ? { client: charge.client, ...known.container } : undefined
  ledger.add(charge)
  return { charge, run, over: run ? changes.begin(run.id) : () => undefined }
}

function decideNow({ policy, ledger, now }: Client, request: ApiRequest, known: Known) {
  return decide(policy, request, known, ledger.charges(policy.client, request.operation.id), now())
}

/** A version that the Engine does not have would be refused by it in words of its own. */
async function checkVersion({ apiRange, log }: Client, { version }: ApiRequest): Promise<Refusal | undefined> {
  if (version === undefined) return undefined
  try {
    const lacks = await apiRange.lacks(version)
    return lacks === undefined ? undefined : refuse(400, 'request.version', lacks)
  } catch (error) {
    return engineRefusal(error, log)
  }
}
