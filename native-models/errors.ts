// The one error a user is shown as it is. Anything else that is thrown is a bug.

export interface ErrorParts {
  /** What happened, with the numbers that decide it. */
  what: string;
  /** Which file or field. */
  where: string;
  /** What the user can do about it. */
  fix: string;
}

/** A problem the user can mend: says what happened, where, and what to do. */
export class UserError extends Error {
  readonly what: string;
  readonly where: string;
  readonly fix: string;

  constructor(parts: ErrorParts, options?: { cause?: unknown }) {
    super(`${parts.what} (${parts.where}) ${parts.fix}`, options);
    this.name = "UserError";
    this.what = parts.what;
    this.where = parts.where;
    this.fix = parts.fix;
  }

  get parts(): ErrorParts {
    return { what: this.what, where: this.where, fix: this.fix };
  }
}
