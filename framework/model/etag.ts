import { STATE } from '../attributes/record-state';
import { assertTag, entityTags, tagOf } from './entity-tag';
import type { Model } from './model';
import { schemaOfRecord } from './record';

/**
 * The strong entity tag of the row that a record was read from or saved as, for the header `ETag`: `"7"`, its
 * `@Version`, else its version in PostgreSQL. It tells nothing of other rows: not of those that a page shows with it.
 *
 * Without `@Version`, `VACUUM FULL` and a restore from a dump change it, so that a client reads once more than it need.
 *
 * @see RFC 9110, section 8.8.3
 */
export function etagOf(record: Model): string {
  return tagOf(schemaOfRecord(record), record[STATE]);
}

/**
 * Holds a request to the state that its header `If-Match` names, where that is more than one save or destroy, which
 * say `{ ifMatch }` themselves. Sends nothing: it compares with what was read. A save that follows is refused as stale
 * when the row is no longer that, so nothing fits between; on a model that merges, it is to say so: `onConflict: 'fail'`.
 *
 * @param header as it was received; a request without one is held to nothing
 * @throws PreconditionFailedError (a StaleRecordError) when no tag of it is the record's; weak tags never are
 * @throws MalformedHeaderError
 * @see RFC 9110, section 13.1.1
 */
export function assertIfMatch(record: Model, header: string | undefined): void {
  if (header !== undefined) assertTag(schemaOfRecord(record), record[STATE], header);
}

/**
 * Whether the client has the record as it is, by its header `If-None-Match`: then a GET is answered with 304.
 *
 * @throws MalformedHeaderError
 * @see RFC 9110, section 13.1.2
 */
export function isFresh(record: Model, header: string | undefined): boolean {
  if (header === undefined) return false;
  const own = etagOf(record);
  const tags = entityTags('If-None-Match', header);
  return tags === '*' || tags.some((tag) => tag.replace(/^W\//, '') === own);
}
