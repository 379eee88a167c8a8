/** Of a form: whether others see a view. */
export function ShareBox({ isShared }: { isShared: boolean }) {
  return (
    <label className="flex items-start gap-2 text-sm">
      <input type="checkbox" name="isShared" defaultChecked={isShared} className="mt-0.5 size-4 accent-accent" />
      Everyone in the organization sees it. They see there what their own role and teams let them see.
    </label>
  )
}
