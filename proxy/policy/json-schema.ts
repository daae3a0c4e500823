// The JSON Schema of a policy, for editors: made from the very schema that reads one. What it cannot say (a range that ends before
// it begins, a field that no answer has), the reading says.
import * as z from 'zod'
import { CATALOGUE, whyNotServed } from '../request/catalogue.ts'
import { policySchema } from './schema.ts'

/** The text of policies/policy.schema.json. */
export function renderPolicyJsonSchema(): string {
  const schema = z.toJSONSchema(policySchema(), {
    target: 'draft-7',
    io: 'input',
    override({ jsonSchema: { properties } }) {
      for (const operation of CATALOGUE) if (whyNotServed(operation) !== undefined) delete properties?.[operation.id]
    },
  })
  return `${JSON.stringify({ title: 'A policy of Postern’s proxy', ...schema }, null, 1)}\n`
}
