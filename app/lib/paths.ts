/** Every URL of Belay that a page links to. */
export const paths = {
  ladder: (search = "") => `/${search}`,
  ladderCsv: (search = "") => `/ladder.csv${search}`,
  usage: (search = "") => `/usage${search}`,
  usageCsv: (search = "") => `/usage.csv${search}`,
  latency: (search = "") => `/latency${search}`,
  latencyCsv: (search = "") => `/latency.csv${search}`,
  outcomes: (search = "") => `/outcomes${search}`,
  outcomesCsv: (search = "") => `/outcomes.csv${search}`,
  ownChanges: (search = "") => `/outcomes/mine${search}`,
  glossary: (term?: string) => (term === undefined ? "/glossary" : `/glossary#${term}`),
  digest: () => "/digest",
  views: () => "/views",
  palette: () => "/palette",
  incidents: (search = "") => `/incidents${search}`,
  incidentsCsv: (search = "") => `/incidents.csv${search}`,
  incident: (id: string) => `/incidents/${id}`,
  alerts: (search = "") => `/alerts${search}`,
  alertsCsv: (search = "") => `/alerts.csv${search}`,
  alert: (id: string) => `/alerts/${id}`,
  alertRules: (search = "") => `/alerts/rules${search}`,
  objective: (id: string, search = "") => `/alerts/objectives/${id}${search}`,
  objectivePreviewCsv: (id: string, search = "") => `/alerts/objectives/${id}/preview.csv${search}`,
  newObjective: (search = "") => `/alerts/objectives/new${search}`,
  alertChannels: () => "/alerts/channels",
  decisions: (search = "") => `/decisions${search}`,
  decisionsCsv: (search = "") => `/decisions.csv${search}`,
  ownDecisions: (search = "") => `/decisions/mine${search}`,
  policies: () => "/policy",
  policy: (of: PolicyOf) => `/policy/${of.kind}${of.id === null ? "" : `/${of.id}`}`,
  policyEdit: (of: PolicyOf) => `/policy/${of.kind}${of.id === null ? "" : `/${of.id}`}/edit`,
  policyVersion: (of: PolicyOf, version: number) => `${paths.policy(of)}?version=${version}#said`,
  policyCompare: (of: PolicyOf, version: number) => `${paths.policy(of)}?compare=${version}#comparison`,
  dryRun: (of: PolicyOf, search = "") => `${paths.policy(of)}/dry-run${search}`,
  dryRunEvents: (of: PolicyOf, search = "") => `${paths.policy(of)}/dry-run/events${search}`,
  policySuggestions: () => "/policy/suggestions",
  policyExceptions: (search = "") => `/policy/exceptions${search}`,
  newPolicyException: (rule?: string) =>
    `/policy/exceptions/new${rule === undefined ? "" : `?rule=${encodeURIComponent(rule)}`}`,
  policyBudgets: () => "/policy/budgets",
  policyClients: () => "/policy/clients",
  policyNative: () => "/policy/native",
  policyNativeFile: () => "/policy/native/file",
  connect: () => "/connect",
  keys: (search = "") => `/keys${search}`,
  audit: (search = "") => `/audit${search}`,
  auditExport: () => "/audit.jsonl",
  signIn: (to?: string) => (to === undefined || to === "/" ? "/sign-in" : `/sign-in?to=${encodeURIComponent(to)}`),
  secondFactor: (to: string) => `/sign-in/second-factor${to === "/" ? "" : `?to=${encodeURIComponent(to)}`}`,
  signInError: (error: string) => `/sign-in?error=${encodeURIComponent(error)}`,
  forgotPassword: () => "/sign-in/forgot",
  signInLink: (token: string) => `/link/${token}`,
  singleSignOn: (to: string) => `/auth/start?to=${encodeURIComponent(to)}`,
  account: () => "/account",
  me: () => "/me",
  people: () => "/people",
  person: (id: string) => `/people/${id}`,
  personData: (id: string) => `/people/${id}/data`,
  teams: () => "/people/teams",
  identities: () => "/people/identities",
  importPeople: () => "/people/import",
  settings: () => "/settings",
  storage: () => "/settings/storage",
  webhooks: () => "/settings/webhooks",
  ingestStatus: () => "/settings/ingest",
  prices: (search = "") => `/settings/prices${search}`,
  pricesCsv: () => "/settings/prices.csv",
  start: () => "/start",
  signOut: () => "/sign-out",
  demoEnter: (role: string, to: string) => `/demo/enter?role=${role}&to=${encodeURIComponent(to)}`,
  arrivals: () => "/events/arrivals",
}

/** Whom a policy binds, as its URL says it. */
export interface PolicyOf {
  readonly kind: "organization" | "team" | "person"
  /** Of the team or person. */
  readonly id: string | null
}

/** A path within Belay from untrusted input; anything that could leave it is the ladder. */
export function toLocalPath(to: string | null): string {
  if (to === null || !/^\/(?![/\\])/.test(to)) return paths.ladder()
  return to
}
