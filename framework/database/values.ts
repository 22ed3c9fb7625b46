import type { TextParser } from '../schema/text-values';
import {
  asIs,
  parseArray,
  parseBoolean,
  parseBytea,
  parseJson,
  parseNumeric,
  parseTimestamptz,
} from '../schema/text-values';

/** By type OID (src/include/catalog/pg_type.dat), for statements whose columns no model describes. */
const SCALARS: readonly (readonly [oid: number, arrayOid: number, parse: TextParser])[] = [
  [16, 1000, parseBoolean], // bool
  [17, 1001, parseBytea], // bytea
  [20, 1016, BigInt], // int8
  [21, 1005, Number], // int2
  [23, 1007, Number], // int4
  [26, 1028, Number], // oid
  [25, 1009, asIs], // text
  [114, 199, parseJson], // json
  [700, 1021, Number], // float4
  [701, 1022, Number], // float8
  [1043, 1015, asIs], // varchar
  [1184, 1185, parseTimestamptz], // timestamptz
  [1700, 1231, parseNumeric], // numeric
  [2950, 2951, asIs], // uuid
  [3802, 3807, parseJson], // jsonb
];

const PARSERS: ReadonlyMap<number, TextParser> = new Map(
  SCALARS.flatMap(([oid, arrayOid, parse]): [number, TextParser][] => [
    [oid, parse],
    [arrayOid, (text) => parseArray(text, parse)],
  ]),
);

/** Rows of texts to rows of values by their type; those of unknown types stay text. */
export function typed(
  rows: readonly (readonly (string | null)[])[],
  fields: readonly { readonly dataTypeID: number }[],
): unknown[][] {
  const parsers = fields.map(({ dataTypeID }) => PARSERS.get(dataTypeID) ?? asIs);
  return rows.map((row) => row.map((cell, index) => (cell === null ? null : parsers[index]!(cell))));
}
