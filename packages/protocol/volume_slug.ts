const SLUG = /^[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])$/;

/** What is wrong with a name of a volume or snapshot, or undefined. */
export function volumeSlugProblem(slug: string): string | undefined {
  if (!SLUG.test(slug)) {
    return "a slug is 2 to 32 of a-z, 0-9 and hyphens, and neither begins nor ends with a hyphen";
  }
  if (slug.slice(2, 4) === "--") return "a slug has no two hyphens at its third and fourth place";
  return undefined;
}
