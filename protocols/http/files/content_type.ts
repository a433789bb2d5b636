/** The type of a file, by its name. */
import mime from "mime";

const BYTES = "application/octet-stream";

/** Text is UTF-8: what has another encoding has to say so itself, as HTML can. */
export function contentType(name: string): string {
  const type = mime.getType(name) ?? BYTES;
  return type.startsWith("text/") ? `${type}; charset=utf-8` : type;
}
