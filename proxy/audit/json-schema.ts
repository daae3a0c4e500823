// The JSON Schema of the audit log's lines, for those who read them by machine: made from the very schema that the lines are typed by.
import * as z from 'zod'
import { auditLineSchema } from './audit-line.ts'

/** The text of docs/audit-line.schema.json. */
export function renderAuditJsonSchema(): string {
  const schema = z.toJSONSchema(auditLineSchema, { target: 'draft-7' })
  return `${JSON.stringify({ title: 'A line of the audit log of Postern’s proxy', ...schema }, null, 1)}\n`
}
