import { NavLink, useLocation } from "@remix-run/react"
import { clsx } from "clsx"
import { useEffect, useRef } from "react"

/** Links to the pages of one subject, which `label` names. Where not all of them fit, the current one is in view. */
export function Tabs({ label, tabs }: { label: string; tabs: readonly { name: string; path: string }[] }) {
  const nav = useRef<HTMLElement>(null)
  const { pathname } = useLocation()
  useEffect(() => {
    const row = nav.current
    const current = [...(row?.children ?? [])].find((tab) => tab.getAttribute("href") === pathname)
    if (row === null || current === undefined) return
    const [all, one] = [row.getBoundingClientRect(), current.getBoundingClientRect()]
    // `scrollIntoView` would move the page as well.
    row.scrollLeft += one.left - all.left - (all.width - one.width) / 2
  }, [pathname])
  return (
    <nav ref={nav} aria-label={label} className="mt-4 flex gap-1 overflow-x-auto border-b border-line">
      {tabs.map(({ name, path }) => (
        <NavLink
          key={path}
          to={path}
          end
          prefetch="intent"
          className={({ isActive }) =>
            clsx(
              "-mb-px border-b-2 px-3 py-2 text-sm font-medium whitespace-nowrap transition-colors duration-150",
              isActive ? "border-accent text-accent" : "border-transparent text-ink-soft hover:text-ink",
            )
          }
        >
          {name}
        </NavLink>
      ))}
    </nav>
  )
}
