/** The mark: a ladder held by two ropes. */
export function Logo({ className }: { className?: string }) {
  return (
    <svg viewBox="0 0 32 32" aria-hidden className={className}>
      <rect width="32" height="32" rx="7" fill="var(--accent)" />
      <g stroke="var(--on-accent)" strokeWidth="2.6" strokeLinecap="round">
        <path d="M11 6v20M21 6v20" />
        <path d="M11 11h10M11 16h10M11 21h10" opacity=".85" />
      </g>
    </svg>
  )
}
