// Asks iam-simulate: cases in keystile's format (`keystile simulate`), one a line on standard
// input; answers {"decision": "allow"} or {"error": "…"}, one a line, in order. `ignored` are the
// condition keys of the case that it left out of its decision, `seconds` (in the last line, which is
// no answer) what the decisions alone took.
import { createInterface } from 'node:readline'
import { anonymousPrincipal, runSimulation } from '@cloud-copilot/iam-simulate'

const DECISIONS = { Allowed: 'allow', ImplicitlyDenied: 'implicit_deny', ExplicitlyDenied: 'explicit_deny' }

function simulation(test) {
  const text = (value) => (Array.isArray(value) ? value.map(String) : String(value))
  const named = (policies, name) => (policies ?? []).map((policy, at) => ({ name: `${name}${at}`, policy }))
  const levels = (list, name) =>
    (list ?? []).map((policies, at) => ({ orgIdentifier: `${name}${at}`, policies: named(policies, `${name}${at}-`) }))
  return {
    request: {
      principal: test.principal === 'anonymous' ? anonymousPrincipal : test.principal,
      action: test.action,
      resource: { resource: test.resource, accountId: test.resource_account },
      contextVariables: Object.fromEntries(Object.entries(test.context).map(([key, value]) => [key, text(value)])),
    },
    identityPolicies: named(test.identity_policies, 'identity'),
    permissionBoundaryPolicies: test.permissions_boundary ? named([test.permissions_boundary], 'boundary') : undefined,
    sessionPolicy: test.session_policies?.[0],
    serviceControlPolicies: levels(test.service_control_policies, 'scp'),
    resourceControlPolicies: levels(test.resource_control_policies, 'rcp'),
    resourcePolicy: test.key_policy ?? test.resource_policy,
    // Without it, tags of S3 resources are left out.
    additionalSettings: { s3: { bucketAbacEnabled: true } },
  }
}

let seconds = 0
for await (const line of createInterface({ input: process.stdin })) {
  const input = simulation(JSON.parse(line))
  const began = process.hrtime.bigint()
  let answer
  try {
    const result = await runSimulation(input, { simulationMode: 'Strict' })
    answer =
      result.resultType === 'single'
        ? { decision: DECISIONS[result.overallResult], ignored: result.result.ignoredContextKeys }
        : { error: JSON.stringify(result.errors ?? result) }
  } catch (error) {
    answer = { error: String(error) }
  }
  seconds += Number(process.hrtime.bigint() - began) / 1e9
  console.log(JSON.stringify(answer))
}
console.log(JSON.stringify({ seconds }))
