import { Form, Link, NavLink, Outlet, useLoaderData, useLocation, useNavigation } from "@remix-run/react"
import { clsx } from "clsx"
import {
  ChartColumn,
  CircleUser,
  FlaskConical,
  Gavel,
  GitMerge,
  KeyRound,
  LogOut,
  BellRing,
  type LucideIcon,
  Plug,
  ScrollText,
  Settings,
  ShieldCheck,
  Timer,
  TrendingUp,
  TriangleAlert,
  UserRoundCog,
  Users,
} from "lucide-react"
import { asTenant } from "#server/db/tenant.ts"
import { DEMO_ACCOUNTS } from "#server/demo/accounts.ts"
import { getOrganization } from "#server/team/queries.ts"
import { paths } from "../../lib/paths.ts"
import { guard } from "../../lib/guard.server.ts"
import { ROLE_LABELS } from "../../lib/roles.ts"
import { listPages, type PageName } from "../../lib/pages.server.ts"
import { Logo } from "../../ui/logo.tsx"
import { ThemeButton } from "../../ui/theme.tsx"
import { ViewsBar } from "./views-bar.tsx"
import { FindButton } from "./find-button.tsx"

export const loader = guard("signed_in", async ({ viewer, context }) => {
  const organization = await asTenant(context.db, viewer.orgId, getOrganization)
  return {
    organization: organization.name,
    email: viewer.email,
    role: viewer.role,
    pages: listPages(viewer.role),
    requestId: context.requestId,
    demoRoles: organization.isDemo ? DEMO_ACCOUNTS.map((account) => account.role) : null,
  }
})

const ICONS: Record<PageName, LucideIcon> = {
  Ladder: TrendingUp,
  Usage: ChartColumn,
  Latency: Timer,
  Outcomes: GitMerge,
  Alerts: BellRing,
  Incidents: TriangleAlert,
  Policy: ShieldCheck,
  Decisions: Gavel,
  Connect: Plug,
  Keys: KeyRound,
  People: Users,
  Audit: ScrollText,
  Settings,
  Me: CircleUser,
}

export default function Shell() {
  const { organization, email, role, pages, demoRoles } = useLoaderData<typeof loader>()
  return (
    <Frame
      organization={organization}
      pages={pages}
      account={
        <div className="hidden border-t border-line p-3 md:block lg:p-4">
          <Link
            to={paths.account()}
            title={`Your account: ${email}`}
            className="hidden truncate rounded-sm text-sm text-ink-soft hover:text-ink hover:underline lg:block"
          >
            {email}
          </Link>
          <p className="hidden text-xs text-ink-faint lg:block">{ROLE_LABELS[role]}</p>
          <div className="mt-2 flex flex-col items-center gap-1 lg:flex-row lg:justify-between">
            <AccountButton className="lg:hidden" />
            <ThemeButton />
            {demoRoles === null && <SignOutButton />}
          </div>
        </div>
      }
      phoneAccount={
        <>
          <AccountButton />
          <ThemeButton />
          {demoRoles === null && <SignOutButton />}
        </>
      }
      banner={demoRoles !== null && <DemoBanner current={role} roles={demoRoles} />}
    >
      <ViewsBar />
      <Outlet />
    </Frame>
  )
}

/** Where the address, which leads there too, has no room. */
function AccountButton({ className }: { className?: string }) {
  return (
    <Link
      to={paths.account()}
      aria-label="Your account"
      title="Your account"
      className={clsx(
        "inline-flex size-8 items-center justify-center rounded-md text-ink-soft hover:bg-sunken hover:text-ink",
        className,
      )}
    >
      <UserRoundCog aria-hidden className="size-4" />
    </Link>
  )
}

function SignOutButton() {
  return (
    <Form method="post" action={paths.signOut()}>
      <button
        type="submit"
        aria-label="Sign out"
        title="Sign out"
        className="inline-flex size-8 items-center justify-center rounded-md text-ink-soft hover:bg-sunken hover:text-ink"
      >
        <LogOut aria-hidden className="size-4" />
      </button>
    </Form>
  )
}

function Frame(props: {
  organization: string
  pages: readonly { readonly name: PageName; readonly path: string }[]
  banner: React.ReactNode
  account: React.ReactNode
  phoneAccount: React.ReactNode
  children: React.ReactNode
}) {
  const navigation = useNavigation()
  return (
    <div className="flex min-h-dvh flex-col">
      <a
        href="#content"
        className="sr-only focus:not-sr-only focus:fixed focus:top-2 focus:left-2 focus:z-50 focus:rounded-md focus:bg-surface focus:px-3 focus:py-2"
      >
        Skip to content
      </a>
      {props.banner}
      <div className="flex flex-1 flex-col md:flex-row">
        <header className="flex shrink-0 items-center gap-1 border-b border-line bg-surface px-3 md:sticky md:top-0 md:h-dvh md:w-16 md:flex-col md:items-stretch md:border-r md:border-b-0 md:px-0 lg:w-52">
          <div className="flex h-14 items-center gap-2.5 md:justify-center lg:justify-start lg:px-4">
            <Logo className="size-7 shrink-0" />
            <div className="hidden min-w-0 lg:block">
              <p className="leading-4 font-semibold">Belay</p>
              <p className="truncate text-xs text-ink-faint" title={props.organization}>
                {props.organization}
              </p>
            </div>
          </div>
          <FindButton />
          <nav
            aria-label="Pages"
            // Positioned, or else the names that are only read out would widen the page.
            className="relative flex min-w-0 flex-1 gap-1 overflow-x-auto px-1 md:flex-col md:overflow-visible md:px-2 lg:px-3"
          >
            {props.pages.map(({ name, path }) => {
              const Icon = ICONS[name]
              return (
                <NavLink
                  key={path}
                  to={path}
                  end={path === paths.ladder()}
                  prefetch="intent"
                  title={name}
                  className={({ isActive }) =>
                    clsx(
                      "flex h-9 items-center gap-1.5 rounded-md px-2 md:gap-2.5 md:px-2.5 text-sm font-medium transition-colors duration-150 md:justify-center lg:justify-start",
                      isActive ? "bg-accent-soft text-accent" : "text-ink-soft hover:bg-sunken hover:text-ink",
                    )
                  }
                >
                  <Icon aria-hidden className="size-4 shrink-0" />
                  <span className="max-sm:sr-only md:sr-only lg:not-sr-only">{name}</span>
                </NavLink>
              )
            })}
          </nav>
          <div className="flex items-center md:hidden">{props.phoneAccount}</div>
          {props.account}
        </header>
        <main
          id="content"
          tabIndex={-1}
          aria-busy={navigation.state === "loading"}
          className={clsx(
            "min-w-0 flex-1 outline-none transition-opacity duration-150",
            navigation.state === "loading" && "opacity-60",
          )}
        >
          <div className="mx-auto max-w-[1440px] px-4 py-6 md:px-8 md:py-8">{props.children}</div>
        </main>
      </div>
    </div>
  )
}

/** On every page of the demo: says that the figures are invented, and lets the visitor be someone else. */
function DemoBanner({ current, roles }: { current: string; roles: readonly string[] }) {
  const { pathname, search } = useLocation()
  return (
    <aside
      aria-label="Demo"
      className="flex flex-wrap items-center gap-x-4 gap-y-1.5 border-b border-line bg-accent-soft px-4 py-1.5 text-sm"
    >
      <p className="flex items-center gap-2 font-medium text-accent">
        <FlaskConical aria-hidden className="size-4" />
        Demo: invented people and figures
      </p>
      <div className="flex items-center gap-1" role="group" aria-label="See Belay as">
        <span className="mr-1 text-ink-soft">See Belay as</span>
        {roles.map((role) => (
          <a
            key={role}
            href={paths.demoEnter(role, pathname + search)}
            aria-current={role === current ? "true" : undefined}
            className={clsx(
              "rounded-sm px-2 py-0.5 transition-colors duration-150",
              role === current
                ? "bg-surface font-medium text-ink"
                : "text-ink-soft underline decoration-line-strong underline-offset-2 hover:text-ink",
            )}
          >
            {role}
          </a>
        ))}
      </div>
    </aside>
  )
}
