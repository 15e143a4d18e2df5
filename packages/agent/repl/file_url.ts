/** The `file:` URL of an absolute path, whatever characters the path has. */
export function toFileUrl(path: string): URL {
  const url = new URL("file:///");
  url.pathname = path.replace(/[%?#\\]/g, encodeURIComponent);
  return url;
}
