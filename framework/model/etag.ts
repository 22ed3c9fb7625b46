import { STATE } from '../attributes/record-state';
import { MalformedHeaderError, PreconditionFailedError, RecordDestroyedError, RecordNotSavedError } from './errors';
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
  const { name, versionColumn } = schemaOfRecord(record);
  const { persistence, stored, version } = record[STATE];
  if (persistence === 'new') throw new RecordNotSavedError(name, 'etagOf()');
  if (persistence === 'destroyed') throw new RecordDestroyedError(name, 'etagOf()');
  if (versionColumn) return `"${String(stored[versionColumn.property])}"`;
  return `"${version!.xmin}.${version!.ctid.replace(/[()]/g, '').replace(',', '.')}"`;
}

/**
 * Holds a request to the state that its header `If-Match` names. Sends nothing: it compares with what was read, and
 * the save or destroy that follows is refused as stale when the row is no longer what was read. So nothing fits between.
 *
 * @param header as it was received; a request without one is held to nothing
 * @throws PreconditionFailedError (a StaleRecordError) when no tag of it is the record's; weak tags never are
 * @throws MalformedHeaderError
 * @see RFC 9110, section 13.1.1
 */
export function assertIfMatch(record: Model, header: string | undefined): void {
  if (header === undefined) return;
  const own = etagOf(record);
  const tags = entityTags('If-Match', header);
  if (tags === '*' || tags.includes(own)) return;
  const { name, primaryKey } = schemaOfRecord(record);
  throw new PreconditionFailedError(name, record[STATE].stored[primaryKey.property]);
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

/** RFC 9110, section 8.8.3: `entity-tag = [ "W/" ] DQUOTE *etagc DQUOTE`; an empty member of a list is passed over. */
const MEMBER = /(?:[ \t]*((?:W\/)?"[\x21\x23-\x7e\x80-\xff]*"))?[ \t]*(?:,|$)/y;

function entityTags(name: string, header: string): readonly string[] | '*' {
  if (header.trim() === '*') return '*';
  const tags: string[] = [];
  for (let at = 0; at < header.length;) {
    MEMBER.lastIndex = at;
    const found = MEMBER.exec(header);
    if (!found) throw new MalformedHeaderError(name);
    if (found[1] !== undefined) tags.push(found[1]);
    at = MEMBER.lastIndex;
  }
  return tags;
}
