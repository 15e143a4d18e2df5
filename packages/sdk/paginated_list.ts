/** A page of a list that is longer: iterate over it for all of them. */
export class PaginatedList<T> implements AsyncIterable<T> {
  /** What is on this page. */
  readonly items: T[];
  /** Where the next page begins; `null` on the last one. */
  readonly nextCursor: string | null;
  readonly #next: (cursor: string) => Promise<PaginatedList<T>>;

  /** @internal */
  constructor(
    items: T[],
    nextCursor: string | null,
    next: (cursor: string) => Promise<PaginatedList<T>>,
  ) {
    this.items = items;
    this.nextCursor = nextCursor;
    this.#next = next;
  }

  get hasMore(): boolean {
    return this.nextCursor !== null;
  }

  async getNextPage(): Promise<PaginatedList<T> | null> {
    return this.nextCursor === null ? null : await this.#next(this.nextCursor);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T, undefined> {
    yield* this.items;
    for (let page = await this.getNextPage(); page; page = await page.getNextPage()) {
      yield* page.items;
    }
  }
}
