/** What each figure is, in a sentence or two: the only place that says so. Charts show it, and the glossary lists it. */
export const GLOSSARY = {
  latency: {
    title: "Latency",
    definition:
      "How long people wait until they can use what an agent made: until a suggestion is shown, until a turn begins to answer, until a task or run is done. p50, p95 and p99 are what half, 95 % and 99 % of the operations stay within, read from a histogram and off by 4.9 % at most.",
  },
  latency_objective: {
    title: "Latency objective",
    definition:
      "What 95 % of a rung's operations should stay within: 200 ms for suggestions, 2 s for the first token of a turn, 10 minutes for a task, an hour for a run.",
  },
  late_share: {
    title: "Late share",
    definition:
      "Operations that took longer than their rung's objective, of all that were timed. At autocomplete it is the share of suggestions shown later than 200 ms.",
  },
  latency_distribution: {
    title: "Distribution over time",
    definition:
      "How the operations of each week or day spread over bands of latency, each 1.46 times as long as the one below. A column adds up to 100 %; the darker, the larger its share.",
  },
  dose_response: {
    title: "Acceptance by latency",
    definition:
      "Of what people decided on, the share they accepted, by how long it had taken. With 95 % Wilson intervals. It shows what goes together; teams and weeks differ in more than latency.",
  },
  latency_threshold: {
    title: "Own threshold",
    definition:
      "The latency from which on less is accepted: of all places to cut the bands in two the one where acceptance differs most, if chance makes so large a difference less than once in a hundred (maximally selected chi-square, Miller and Siegmund 1982; the spread between weeks is allowed for).",
  },
  use_and_latency: {
    title: "Use over latency",
    definition:
      "Operations of each active person above, and p95 latency below, on one time axis. Active people are those with at least one operation of the rung.",
  },
  first_token: {
    title: "Time to first token",
    definition:
      "How long until a turn or a call of a model began to answer, where the source says so. By call: an operation may call several models many times.",
  },
  latency_by_tool: {
    title: "By agent tool",
    definition:
      "Latency of the whole organization's operations by the agent tool they ran in. Teams are not cut by tool as well: the groups would be too small to show.",
  },
  latency_by_model: {
    title: "By model",
    definition:
      "How soon each model began to answer: until its suggestion was shown, or the first token of its turn or call. Of the whole organization. A task as a whole has no one model.",
  },
  latency_by_team: {
    title: "By team",
    definition:
      "Latency of each team's operations. People count in the team they were in on the day; a team's figures include those of its sub-teams.",
  },
  active_people: {
    title: "Active people",
    definition:
      "People in a team who used agents deliberately in the week: who accepted a suggestion, or had a turn, a task or a run. That a tool was open, or a suggestion was shown, does not count.",
  },
  seats: {
    title: "Seats",
    definition:
      "People who were in a team on any day of the week. An unused seat is one of them who was not active. Fewer than the privacy floor are not counted out.",
  },
  use_by_rung: {
    title: "Operations by rung",
    definition:
      "Operations by the rung on which they ran, with the tokens and the cost of their calls of models. Cost is what sources say, and by the price table of the day what others cost.",
  },
  use_by_tool: {
    title: "Operations by agent tool",
    definition:
      "Operations of the whole organization, by rung and the agent tool they ran in, with the tokens and the cost of their calls of models.",
  },
  use_by_mode: {
    title: "Operations by mode",
    definition:
      "Operations of the whole organization, by rung and the mode that their signals name, as the agent tool calls it (plan, default, code). Several: they name more than one. Not named: the tool does not tell its mode.",
  },
  use_by_language: {
    title: "Operations by language",
    definition:
      "Operations of the whole organization, by rung and the programming language that their signals name. Several: they name more than one. Not named: the tool does not tell the language.",
  },
  spend_by_model: {
    title: "Spend by model",
    definition:
      "Calls, tokens and cost of each model, of the whole organization. Cost is what sources say, and by the price table of the day what others cost; tokens without a price are told apart.",
  },
  spend_by_team: {
    title: "Spend by team",
    definition:
      "Calls, tokens and cost of each team's people, in the team they were in on the day; a team's include those of its sub-teams.",
  },
  budgets: {
    title: "Spend against budget",
    definition:
      "What was used of each budget in its period, and what is forecast to its end from the same weekdays of the last four weeks, with an 80 % interval.",
  },
  cost_per_surviving_change: {
    title: "Cost per surviving change",
    definition:
      "Cost of the tasks behind merged changes, divided by those changes that still stand; a task in several changes is parted among them. By the week in which a change was opened. Changes of which a task's cost is not known are left out. With a 95 % interval (linearized ratio, Cochran 1977).",
  },
  easy_work: {
    title: "Expensive model on easy work",
    definition:
      "Changes of up to 100 lines by the model that cost most for each of them, beside the cheapest. Equal means that the share merged and the share that stands are not more than 10 points worse with the cheaper one, by the 95 % intervals of the differences (Newcombe 1998). People choose the model: the work may differ in more than its lines.",
  },
  active_days: {
    title: "Active people by day",
    definition:
      "People in a team who used agents deliberately on the day. Of the whole organization. A day on which too few were active is withheld, and another of its week with it.",
  },
  task_funnel: {
    title: "How far tasks come",
    definition:
      "Tasks and runs by the stages they reached, counted in the week in which they began. Planned: one began. Ran: more was seen of it than its start. Known: a change of the code host has its work, or another system said what became of it. Verified: a check passed, or somebody approved. Alive: not taken back within 14 days, asked only of what was merged 14 days ago or earlier.",
  },
  unjoined: {
    title: "Unjoined work",
    definition:
      "Changes in which no agent's work is known to be, and tasks that no change is known to have: written by hand, thrown away, or without the trailer that joins them. Counted as such and never taken for failed.",
  },
  joined_by: {
    title: "Joined by",
    definition:
      "What says that agents' work is in a change, the best of what does. Trailer and commit id: the change or the agent names it, certain. Session and branch: the agent's session is named by the change or worked on its branch, likely. Author and time: the change's one author had an agent at work in its repository meanwhile, possible. What fits several changes equally is joined to none.",
  },
  reviewable_share: {
    title: "Reviewable share",
    definition:
      "Of changes whose size is known, those within the review limit of the policy, 400 changed lines unless it says otherwise: what a person can review in one sitting. Larger ones with generated or lock files in them count as unclear and not as within, as the code host does not say how many lines those have.",
  },
  review_debt: {
    title: "Throughput and review debt",
    definition:
      "Above, changes that were merged of those opened in each week. Below, the share of them that were merged before anybody had reviewed them.",
  },
  review_effort: {
    title: "Size and review",
    definition:
      "Medians over changes. Waiting is from opened to the first review, reviewing from the first review to the approval, both in working time: Monday to Friday, 8:00 to 18:00 in the organization's zone. Rounds are pushes after a change was opened.",
  },
  evidence: {
    title: "Evidence and rework",
    definition:
      "Verified: a check passed, or somebody approved. Merged without evidence: no check, approval or review came before. Taken back: a revert was merged later. With 95 % Wilson intervals.",
  },
  context_health: {
    title: "Tool calls per accepted change",
    definition:
      "Tool calls of the tasks behind changes that were merged and stand, divided by those changes. Where it rises, agents search longer for the same. Changes whose agents tell of no tool calls are left out.",
  },
  loops: {
    title: "Loops",
    definition:
      "Tasks in which tools failed five times or more, and at least as often as they worked: an agent that does not get further. Of tasks, and parts that agents handed on, whose calls of tools are told one by one; with a 95 % interval (Wilson), and the tokens and the cost of those tasks as a whole. What a tool was called with is not told, so that steps that repeat and work are not seen.",
  },
  outcomes_by_team: {
    title: "Outcomes by team",
    definition:
      "Changes of each team's agents. A change counts for the person whose task in it began first, in the team they were in on that day; a team's figures include those of its sub-teams.",
  },
  compared_with: {
    title: "Compared with",
    definition:
      "The same weeks of another team, or of all teams, in place of the period before. Only what does not grow with a team is compared: shares, rates, percentiles, and what falls on one person, operation or change. Each side is what its own page shows; where that is withheld, nothing is compared.",
  },
  coverage: {
    title: "Coverage",
    definition:
      "Working days (Monday to Friday) on which a signal came from a person, of all working days of people in a team. What is not covered is unknown, not zero.",
  },
} as const satisfies Record<string, { readonly title: string; readonly definition: string }>

export type Term = keyof typeof GLOSSARY
