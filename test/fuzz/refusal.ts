// What every refusal of a request is.
import { REFUSAL_RULES, type Refusal } from '../../proxy/request/refusal.ts'
import { must } from './target.ts'

/** By a rule that there is, with the client's fault, and with a reason of bounded length. */
export function checkRefusal({ status, rule, reason }: Refusal): void {
  must(status >= 400 && status < 500 && REFUSAL_RULES.includes(rule), `it is refused with ${status} ${rule}`)
  must(reason.length > 10 && reason.length < 2000, `the reason has ${reason.length} characters`)
}
