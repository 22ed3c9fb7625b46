import type { RecordState } from '../attributes/record-state';
import type { ModelSchema } from '../schema/model-schema';
import { MalformedHeaderError, PreconditionFailedError, RecordDestroyedError, RecordNotSavedError } from './errors';

/** @see RFC 9110, section 8.8.3 */
export function tagOf({ name, versionColumn }: ModelSchema, { persistence, stored, version }: RecordState): string {
  if (persistence === 'new') throw new RecordNotSavedError(name, 'etagOf()');
  if (persistence === 'destroyed') throw new RecordDestroyedError(name, 'etagOf()');
  if (versionColumn) return `"${String(stored[versionColumn.property])}"`;
  return `"${version!.xmin}.${version!.ctid.replace(/[()]/g, '').replace(',', '.')}"`;
}

/**
 * By the strong comparison: weak tags are nobody's.
 *
 * @throws PreconditionFailedError, MalformedHeaderError
 */
export function assertTag(schema: ModelSchema, state: RecordState, header: string): void {
  const own = tagOf(schema, state);
  const tags = entityTags('If-Match', header);
  if (tags !== '*' && !tags.includes(own)) {
    throw new PreconditionFailedError(schema.name, state.stored[schema.primaryKey.property]);
  }
}

/** `entity-tag = [ "W/" ] DQUOTE *etagc DQUOTE`; an empty member of a list is passed over. One pass, whatever is sent. */
const MEMBER = /(?:[ \t]*((?:W\/)?"[\x21\x23-\x7e\x80-\xff]*"))?[ \t]*(?:,|$)/y;

/** @throws MalformedHeaderError */
export function entityTags(name: string, header: string): readonly string[] | '*' {
  if (header.trim() === '*') return '*';
  const tags: string[] = [];
  for (let at = 0; at < header.length; at = MEMBER.lastIndex) {
    MEMBER.lastIndex = at;
    const found = MEMBER.exec(header);
    if (!found) throw new MalformedHeaderError(name);
    if (found[1] !== undefined) tags.push(found[1]);
  }
  return tags;
}
