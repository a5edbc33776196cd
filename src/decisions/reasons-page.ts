import { advice, type Side } from './advice.ts'
import { refusals, type RefusalReason } from '../model/refusal.ts'

/** docs/reasons.md: every reason for which Hubward says no, what the other side is told, and what to do. */
export function reasonsPage(): string {
  const reasons = (Object.keys(refusals) as RefusalReason[]).toSorted()
  const rows = (of: readonly Side[]) =>
    reasons.flatMap((reason) => {
      const [side, remedy] = advice[reason]
      if (!of.includes(side)) return []
      const [code, message] = refusals[reason]
      return [`| \`${reason}\` | ${code} ${message} | ${remedy.replaceAll('|', '\\|')} |`]
    })
  return `# Why Hubward says no

A device or a client is told the code and the message; the operator is told the reason, with what was expected and what was
found: \`hubward explain <registration or tracking id>\`, \`GET …/decisions\`, or the log. Whoever has
proven nothing hears one answer for each kind of credential, whatever the reason, so that it does not learn what is enrolled:
401002 Unauthorized to a token, 401002 Invalid certificate. to a certificate, 404201 Enrollment not found. to TPM keys. This
page is made by \`npm run docs\`.

## What a device may meet

| reason | what it is told | what to do |
|---|---|---|
${rows(['device', 'both']).join('\n')}

## What only an operator may meet

| reason | what is told | what to do |
|---|---|---|
${rows(['operator']).join('\n')}

## What nobody meets while every part is in its place

| reason | what is told | what to do |
|---|---|---|
${rows(['nobody']).join('\n')}
`
}
