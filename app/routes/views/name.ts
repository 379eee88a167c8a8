/** Characters in the name of a view. */
export const VIEW_NAME_MAX = 60
