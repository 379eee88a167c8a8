/**
 * What the detector goes by, apart from the signals themselves (`watched.ts`). Chosen on simulated organizations; what each
 * is worth there is in docs/breakage.md. A replay can set each of them, so that the figures there can be had again.
 */
export const SETTINGS = {
  /** Evidence that opens an incident, over the logarithm of the number of places that are watched. */
  bar: 7,
  /** Two dimensions at once make many places, of which one always stands out. */
  pairPenalty: 2,
  /** A client or model that is new is where most breakages come from: so much less evidence is asked of it. */
  freshBonus: 3.5,
  freshDays: 12,
  developerPenalty: 1.5,
  /** observed / expected of one person: who does a little less is none of anybody's business. */
  developerLimit: 0.3,
  /** observed / expected of acceptance where nothing is new: it wanders. */
  wanderLimit: 0.83,
  /** Evidence of the signal itself, whatever others say. */
  leastOwn: 5,
  /** Evidence of a loss that is enough where slowness is known that people leave for. */
  leastLoss: 2.4,
  /** Slow units over what is expected, for such slowness. */
  slowEnough: 1.9,
  /** What other signals in the same place add: each above its floor, at most so much, and all together. */
  supportFloor: 3,
  lossFloor: 1.5,
  support: 8,
  allSupport: 12,
  /** How much of a place has to be the same, as a Jaccard index of units. */
  supportOverlap: 0.4,
  /** The part of its limit, on the scale of logarithms, from which on a signal supports another. */
  softLimit: 0.5,
  /** Share of the evidence that does not come from the two hours that gave the most. */
  lasting: 0.38,
  /** Work of higher rungs over what is expected of them, which says that people climbed. */
  climbed: 1.35,
  /** The least that a slow week counts as, of an ordinary one. 1 for not looking at how busy everybody is. */
  leastActivity: 0.4,
  /** How much of the variance between days, people and teams is taken into account: 1 for all of it. */
  dispersion: 1,
  /** Units of information that a person's own figures are held against: more for fewer differences between people. */
  shrinkage: 12,
  /** For so long after the opening the place and the cause may change. */
  refineHours: 48,
  /** How much more evidence a narrower place has to have than a wider one. */
  wider: 1.03,
  widerAdd: 1,
  /** Evidence that has to go away again, and how far inside the limit the last days have to be. */
  recoveredEvidence: 6,
  recoveredLimit: 0.8,
  /** Days in which what was over may come back as the same incident. */
  reopenDays: 7,
  /** Working days after the opening, and after a refusal, before the level is proposed as the new normal. */
  proposeDays: 15,
  /** The last so many of them are held against the others: within this, on the scale of logarithms, it moves no more. */
  settledDays: 5,
  settledLeast: 0.1,
  settledMost: 0.35,
}
