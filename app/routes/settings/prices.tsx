import { data, type MetaFunction } from "@remix-run/node"
import { Form, Link, useActionData, useLoaderData, useNavigation } from "@remix-run/react"
import { Download, SearchX } from "lucide-react"
import { z } from "zod"
import { asTenant } from "#server/db/tenant.ts"
import { byViewer } from "#server/sign-in/sessions.ts"
import { type ListedPrice, listPrices, readPriceTable, setPrice } from "#server/spend/price-table.ts"
import { SEED_SOURCE, SEED_URL } from "#server/spend/prices.ts"
import { listUnpricedModels, type UnpricedModel } from "#server/spend/use.ts"
import { getOrganization } from "#server/team/queries.ts"
import { formatAge, formatCount, formatInstant, formatPrice, plural } from "../../lib/format.ts"
import { guard } from "../../lib/guard.server.ts"
import { paths } from "../../lib/paths.ts"
import { useDoneKey } from "../../lib/use-done-key.ts"
import { buttonClass, rowActionClass } from "../../ui/button.ts"
import { Confirm } from "../../ui/confirm.tsx"
import { Field } from "../../ui/field.tsx"
import { Notice } from "../../ui/notice.tsx"
import { CELL, FIGURE_CELL, ROW, Table } from "../../ui/table.tsx"
import { SettingsTabs } from "./tabs.tsx"

export { PageError as ErrorBoundary } from "../../ui/error-state.tsx"

export const meta: MetaFunction = () => [{ title: "Prices · Belay" }]

const PAGE = 50
/** As the price table has it, whose code stays on the server. */
const ANY_PROVIDER = "*"
/** Since when models without a price are looked for. */
const UNPRICED_DAYS = 30

const searchSchema = z.object({
  q: z.string().trim().max(80).catch("").default(""),
  page: z.coerce.number().int().min(1).max(1000).catch(1).default(1),
  model: z.string().trim().max(80).optional().catch(undefined),
  provider: z.string().trim().max(80).optional().catch(undefined),
})

export const loader = guard("settings.manage", async ({ viewer, request, context }) => {
  const search = searchSchema.parse(Object.fromEntries(new URL(request.url).searchParams))
  const now = context.now()
  return asTenant(context.db, viewer.orgId, async (tx) => {
    const words = search.q.toLowerCase().split(/\s+/).filter(Boolean)
    const all = await listPrices(tx, now)
    const found = all.filter((one) =>
      words.every((word) => `${one.model} ${one.provider}`.toLowerCase().includes(word)),
    )
    const isOpen = search.model !== undefined
    const table = isOpen ? await readPriceTable(tx) : null
    return {
      now,
      today: now.toISOString().slice(0, 10),
      timeZone: (await getOrganization(tx)).timeZone,
      search,
      isOpen,
      seed: { source: SEED_SOURCE, url: SEED_URL },
      all: all.length,
      set: all.filter(({ source }) => source === "set").length,
      found: found.length,
      prices: found.slice((search.page - 1) * PAGE, search.page * PAGE),
      hasMore: found.length > search.page * PAGE,
      history: table === null ? [] : table.history(search.model ?? "", search.provider ?? null),
      unpriced: await listUnpricedModels(tx, new Date(now.getTime() - UNPRICED_DAYS * 86_400_000)),
    }
  })
})

const money = z
  .string()
  .trim()
  .transform(Number)
  .pipe(z.number("Write a number of dollars.").min(0, "Not below zero.").max(100_000, "At most 100,000."))
const maybeMoney = z.union([z.literal("").transform(() => null), money])
const day = z.iso.date("Write a day as 2027-01-31.")
const named = {
  model: z.string().trim().min(1, "Name the model.").max(80),
  provider: z.string().trim().max(80),
  validFrom: day,
}
const formSchema = z.discriminatedUnion("intent", [
  z.object({
    intent: z.literal("set"),
    ...named,
    inputUsd: z.string().trim().min(1, "What do a million input tokens cost?").pipe(money),
    cachedUsd: maybeMoney,
    cacheWriteUsd: maybeMoney,
    outputUsd: z.string().trim().min(1, "What do a million output tokens cost?").pipe(money),
  }),
  z.object({ intent: z.literal("reset"), ...named }),
])

interface Result {
  readonly done: string | null
  readonly errors: Readonly<Record<string, string>>
}

export const action = guard("settings.manage", async ({ viewer, request, context }) => {
  const parsed = formSchema.safeParse(Object.fromEntries(await request.formData()))
  if (!parsed.success) {
    const errors = Object.fromEntries(parsed.error.issues.map((issue) => [String(issue.path[0]), issue.message]))
    return data<Result>({ done: null, errors }, { status: 422 })
  }
  const form = parsed.data
  return asTenant(context.db, viewer.orgId, async (tx) => {
    const table = await readPriceTable(tx)
    const isAny = form.provider === "" || form.provider === ANY_PROVIDER
    const resolved = table.resolve(form.model, isAny ? null : form.provider)
    const of = { model: resolved.model, provider: isAny ? ANY_PROVIDER : (resolved.provider ?? form.provider) }
    const price =
      form.intent === "reset"
        ? null
        : {
            inputUsd: form.inputUsd,
            cachedUsd: form.cachedUsd,
            cacheWriteUsd: form.cacheWriteUsd,
            outputUsd: form.outputUsd,
          }
    const by = byViewer(viewer, context.requestId, context.now())
    const isChanged = await setPrice(tx, { ...of, validFrom: form.validFrom, price, by })
    const what = `${of.model} ${at(of.provider)}`
    const done = !isChanged
      ? `Nothing changed: ${what} has that price from ${form.validFrom} on already.`
      : price === null
        ? `${what} has the price that Belay ships from ${form.validFrom} on.`
        : `${what} costs ${formatPrice(price.inputUsd)} in and ${formatPrice(price.outputUsd)} out a million tokens from ${form.validFrom} on. Budgets follow in a few seconds.`
    return data<Result>({ done, errors: {} })
  })
})

function at(provider: string): string {
  return provider === ANY_PROVIDER ? "at any provider" : `at ${provider}`
}

export default function Prices() {
  const loaded = useLoaderData<typeof loader>()
  const result = useActionData<typeof action>()
  const { search, unpriced, prices, found, all, set, hasMore, isOpen } = loaded
  const linkTo = (more: Record<string, string>) =>
    `?${new URLSearchParams({ ...(search.q !== "" && { q: search.q }), ...more })}`
  return (
    <>
      <header>
        <h1 className="text-sm font-medium text-ink-faint">Prices</h1>
        <p className="mt-1 max-w-4xl text-xl font-semibold tracking-tight text-balance">
          {unpriced.length === 0
            ? `Every model used in the last ${UNPRICED_DAYS} days has a cost or a price.`
            : `${plural(unpriced.length, "model")} used in the last ${UNPRICED_DAYS} days ${unpriced.length === 1 ? "has" : "have"} no price.`}
        </p>
        <p className="mt-1 max-w-3xl text-ink-soft">
          Where an agent says what a call cost, that counts. Any other call has the price of its day from this table: US
          dollars per million tokens, by the base of prices that rise with the length of a call. Corrected prices count
          at once, for the past too.
        </p>
      </header>
      <SettingsTabs />
      <div className="mt-4 space-y-6">
        {result?.done && <Notice tone="good">{result.done}</Notice>}
        {unpriced.length > 0 && <Unpriced models={unpriced} loaded={loaded} />}
        {isOpen && <Change loaded={loaded} errors={result?.errors ?? {}} />}
        <section aria-labelledby="table">
          <div className="flex flex-wrap items-end gap-3">
            <h2 id="table" className="text-lg font-semibold">
              Price table
            </h2>
            <p className="pb-0.5 text-sm text-ink-soft">
              {plural(all, "price")}
              {set > 0 && `, ${formatCount(set)} set here`}, {set === 0 ? "all" : "the others"} from{" "}
              <a href={loaded.seed.url} className="underline underline-offset-2">
                {loaded.seed.source}
              </a>
            </p>
          </div>
          <div className="mt-3 flex flex-wrap items-end gap-2">
            <Form method="get" role="search" className="flex min-w-0 flex-1 items-end gap-2">
              <Field
                label="Model or provider"
                name="q"
                type="search"
                defaultValue={search.q}
                key={search.q}
                className="max-w-xs min-w-0 flex-1"
              />
              <button type="submit" className={buttonClass("quiet", "h-10")}>
                Search
              </button>
            </Form>
            <Link to={linkTo({ model: "" })} preventScrollReset={false} className={buttonClass("primary", "h-10")}>
              Add a price
            </Link>
            <a href={paths.pricesCsv()} download className={buttonClass("quiet", "h-10")}>
              <Download aria-hidden className="size-3.5" /> CSV
            </a>
          </div>
          <div className="mt-3">
            {prices.length === 0 ? (
              <div className="rounded-md border border-line bg-surface px-4 py-12 text-center">
                <SearchX aria-hidden className="mx-auto size-6 text-ink-faint" />
                <p className="mt-3 text-ink-soft">No model or provider has that in its name.</p>
              </div>
            ) : (
              <PriceTable prices={prices} loaded={loaded} linkTo={linkTo} />
            )}
          </div>
          {found > PAGE && (
            <nav
              aria-label="Pages of the price table"
              className="mt-3 flex flex-wrap items-center gap-2 text-sm text-ink-soft"
            >
              {search.page > 1 && (
                <Link to={linkTo({ page: String(search.page - 1) })} className={buttonClass("quiet")}>
                  Before
                </Link>
              )}
              <span>
                {(search.page - 1) * PAGE + 1} to {Math.min(found, search.page * PAGE)} of {formatCount(found)}
              </span>
              {hasMore && (
                <Link to={linkTo({ page: String(search.page + 1) })} className={buttonClass("quiet")}>
                  Next
                </Link>
              )}
            </nav>
          )}
        </section>
      </div>
    </>
  )
}

type Loaded = ReturnType<typeof useLoaderData<typeof loader>>

function Unpriced({ models, loaded }: { models: readonly UnpricedModel[]; loaded: Loaded }) {
  return (
    <section aria-labelledby="unpriced">
      <h2 id="unpriced" className="text-lg font-semibold">
        Without a price
      </h2>
      <p className="mt-1 mb-3 max-w-3xl text-ink-soft">
        Their tokens count in budgets of tokens, and are missing in those of dollars.
      </p>
      <Table
        caption="Models without a price"
        titles={["Model", "Provider", "Calls", "Tokens", "Last used", "(Actions)"]}
        figures={["Calls", "Tokens"]}
      >
        {models.map(({ model, provider, calls, tokens, lastAt }) => (
          <tr key={`${model} ${provider}`} className={ROW}>
            <th scope="row" className={`${CELL} text-left font-mono text-xs font-normal`}>
              {model ?? <span className="font-sans text-sm">not named by the source</span>}
            </th>
            <td className={CELL}>{provider ?? "not said"}</td>
            <td className={FIGURE_CELL}>{formatCount(calls)}</td>
            <td className={FIGURE_CELL}>{formatCount(tokens)}</td>
            <td className={CELL} title={formatInstant(lastAt, loaded.timeZone)}>
              {formatAge(lastAt, loaded.now)}
            </td>
            <td className={`${CELL} text-right`}>
              {model !== null && (
                <Link
                  to={`?${new URLSearchParams({ model, provider: provider ?? ANY_PROVIDER })}`}
                  aria-label={`Add a price of ${model}`}
                  className={rowActionClass("quiet")}
                >
                  Add a price
                </Link>
              )}
            </td>
          </tr>
        ))}
      </Table>
    </section>
  )
}

function PriceTable(props: {
  prices: readonly ListedPrice[]
  loaded: Loaded
  linkTo: (more: Record<string, string>) => string
}) {
  const { loaded } = props
  return (
    <Table
      caption="Prices, US dollars per million tokens"
      titles={["Model", "Provider", "Input $", "Cached $", "Cache write $", "Output $", "Since", "From", "(Actions)"]}
      figures={["Input $", "Cached $", "Cache write $", "Output $"]}
    >
      {props.prices.map(({ model, provider, price, from, nextFrom, source, change }) => (
        <tr key={`${model} ${provider}`} className={ROW}>
          <th scope="row" className={`${CELL} text-left font-mono text-xs font-normal`}>
            {model}
          </th>
          <td className={CELL}>{provider === ANY_PROVIDER ? "any" : provider}</td>
          {[price?.inputUsd, price?.cachedUsd, price?.cacheWriteUsd, price?.outputUsd].map((usd, index) => (
            // oxlint-disable-next-line react/no-array-index-key -- four columns, always the same
            <td key={index} className={FIGURE_CELL}>
              {usd == null ? "–" : formatPrice(usd)}
            </td>
          ))}
          <td className={CELL}>
            {from ?? "always"}
            {nextFrom !== null && <span className="text-ink-faint">, another from {nextFrom}</span>}
          </td>
          <td
            className={CELL}
            title={
              change === null
                ? undefined
                : `${change.changedBy ?? "a former member"}, ${formatInstant(change.changedAt, loaded.timeZone)}`
            }
          >
            {source === "seed" ? "shipped" : `set ${change === null ? "" : formatAge(change.changedAt, loaded.now)}`}
          </td>
          <td className={`${CELL} text-right`}>
            <Link
              to={props.linkTo({ model, provider })}
              aria-label={`Change the price of ${model} ${at(provider)}`}
              className={rowActionClass("quiet")}
            >
              Change
            </Link>
          </td>
        </tr>
      ))}
    </Table>
  )
}

function Change({ loaded, errors }: { loaded: Loaded; errors: Readonly<Record<string, string>> }) {
  const { search, history, today } = loaded
  const doneKey = useDoneKey(useActionData(), true)
  const isBusy = useNavigation().state === "submitting"
  const current = history.findLast(({ from }) => from === null || from <= today)?.price ?? null
  const set = history.find(({ source }) => source === "set")
  const { model = "", provider = ANY_PROVIDER } = search
  const amount = (usd: number | null | undefined) => (usd == null ? "" : String(usd))
  return (
    <section aria-labelledby="change" className="rounded-md border border-line bg-surface p-4">
      <h2 id="change" className="text-lg font-semibold">
        {model === "" ? "Add a price" : `Price of ${model} ${at(provider)}`}
      </h2>
      <Form
        method="post"
        preventScrollReset
        key={`${model} ${provider} ${Object.keys(errors).length === 0 ? doneKey : ""}`}
        className="mt-3 grid items-start gap-3 sm:grid-cols-2 lg:grid-cols-4"
      >
        <input type="hidden" name="intent" value="set" />
        <Field label="Model" name="model" required maxLength={80} defaultValue={model} error={errors["model"]} />
        <Field
          label="Provider"
          name="provider"
          maxLength={80}
          defaultValue={provider}
          hint="* for any that has no price of its own"
          error={errors["provider"]}
        />
        <Field
          label="Counts from"
          name="validFrom"
          type="date"
          required
          defaultValue={today}
          hint="Midnight UTC; earlier prices stay."
          error={errors["validFrom"]}
        />
        <span className="hidden lg:block" />
        <Amount
          label="Input, $"
          name="inputUsd"
          required
          value={amount(current?.inputUsd)}
          error={errors["inputUsd"]}
        />
        <Amount
          label="Cached input, $"
          name="cachedUsd"
          value={amount(current?.cachedUsd)}
          hint="Empty: as input."
          error={errors["cachedUsd"]}
        />
        <Amount
          label="Cache write, $"
          name="cacheWriteUsd"
          value={amount(current?.cacheWriteUsd)}
          hint="For information: signals count written tokens as input."
          error={errors["cacheWriteUsd"]}
        />
        <Amount
          label="Output, $"
          name="outputUsd"
          required
          value={amount(current?.outputUsd)}
          error={errors["outputUsd"]}
        />
        <div className="flex flex-wrap items-center gap-3 sm:col-span-2 lg:col-span-4">
          <button type="submit" disabled={isBusy} className={buttonClass("primary", "h-10")}>
            Save the price
          </button>
          <Link
            to={paths.prices(search.q === "" ? "" : `?${new URLSearchParams({ q: search.q })}`)}
            className={buttonClass("quiet", "h-10")}
          >
            Close
          </Link>
        </div>
      </Form>
      {history.length > 0 && (
        <div className="mt-4">
          <h3 className="text-sm font-medium">All prices, the newest first</h3>
          <ul className="mt-1 space-y-1 text-sm text-ink-soft">
            {history.toReversed().map(({ from, price, source }) => (
              <li key={`${from}`}>
                {from === null ? "Always" : `From ${from}`}:{" "}
                {price === null ? "no price" : `${formatPrice(price.inputUsd)} in, ${formatPrice(price.outputUsd)} out`}{" "}
                ({source === "seed" ? "shipped" : "set here"})
              </li>
            ))}
          </ul>
        </div>
      )}
      {set?.from != null && (
        <div className="mt-3">
          <Confirm
            trigger="Back to what Belay ships"
            triggerClass={buttonClass("quiet")}
            title={`Take back the price of ${model} ${at(provider)}?`}
            description={`From ${set.from} on it has the price that Belay ships, or none where it ships none. Prices that were set for later days stay. What was set stays on record.`}
            action="Take it back"
            cancel="Keep"
            fields={{ intent: "reset", model, provider, validFrom: set.from }}
          />
        </div>
      )}
    </section>
  )
}

function Amount(props: {
  label: string
  name: string
  value: string
  required?: boolean
  hint?: string
  error?: string | undefined
}) {
  const { value, ...field } = props
  return <Field {...field} type="number" min={0} max={100_000} step="any" inputMode="decimal" defaultValue={value} />
}
