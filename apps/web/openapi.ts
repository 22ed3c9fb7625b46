import { defaultMetadataStorage } from 'class-transformer/cjs/storage';
import { targetConstructorToSchema } from 'class-validator-jsonschema';
import type { AnyRoute, Api, Class, Schema } from './api';
import { CSRF_HEADER } from './security';
import type { User } from './visit';

/** A JSON Schema of the 2020-12 dialect, as OpenAPI 3.1 uses it. */
export type JsonSchema = Readonly<Record<string, unknown>>;

export interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly description?: string;
  readonly parameters: readonly JsonSchema[];
  readonly requestBody?: JsonSchema;
  readonly responses: Readonly<Record<string, JsonSchema>>;
  readonly security: readonly JsonSchema[];
}

export interface ApiDescription {
  readonly openapi: '3.1.0';
  readonly info: { readonly title: string; readonly version: string; readonly description: string };
  readonly servers: readonly { readonly url: string }[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: JsonSchema & { readonly schemas: Readonly<Record<string, JsonSchema>> };
}

const TEXTS = { type: 'array', items: { type: 'string' } };
const PROBLEM: JsonSchema = {
  type: 'object',
  description: 'What went wrong (RFC 9457).',
  properties: {
    status: { type: 'integer' },
    title: { type: 'string' },
    detail: { type: 'string' },
    remedy: { type: 'string' },
    code: { type: 'string', description: 'Stable, for programs.' },
    errors: { type: 'object', additionalProperties: TEXTS },
    retryAfterS: { type: 'integer' },
  },
  required: ['status', 'title', 'detail', 'remedy', 'code'],
};

/**
 * The document that OpenAPI 3.1 wants of the table.
 *
 * @param cookie name of the one that holds the session
 */
export function describeApi<U extends User>(api: Api<U>, cookie: string): ApiDescription {
  const schemas: Record<string, JsonSchema> = { Problem: PROBLEM };
  const paths: Record<string, Record<string, Operation>> = {};
  for (const route of api.routes) {
    (paths[route.path] ??= {})[route.method] = describeRoute(route, schemas);
  }
  return {
    openapi: '3.1.0',
    info: api.facts,
    servers: [{ url: '/api' }],
    paths,
    components: {
      schemas,
      securitySchemes: {
        session: { type: 'apiKey', in: 'cookie', name: cookie, description: 'What POST /session answers with.' },
        csrf: { type: 'apiKey', in: 'header', name: CSRF_HEADER, description: 'For writes, beside the cookie.' },
      },
    },
  };
}

function describeRoute<U extends User>(route: AnyRoute<U>, schemas: Record<string, JsonSchema>): Operation {
  const { method, path, summary, description, body, answer } = route;
  const { schema } = answer;
  const isWrite = method !== 'get';
  const words = path.replace(/[{}]/g, '').split('/').filter(Boolean);
  return {
    operationId: [method, ...words].join('-'),
    summary,
    ...(description !== undefined && { description }),
    parameters: parametersOf(route),
    ...(body && { requestBody: { required: true, content: json(reference(body, schemas)) } }),
    responses: {
      [answer.status ?? 200]: {
        description: 'It was done.',
        ...(schema && { content: json(schemaOf(schema, schemas)) }),
      },
      ...refusalsOf(route),
    },
    security: route.who === 'signed in' ? [{ session: [], ...(isWrite && { csrf: [] }) }] : [],
  };
}

function parametersOf<U extends User>({ path, query, idempotent, ifMatch }: AnyRoute<U>): JsonSchema[] {
  const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string' },
  }));
  const described = query ? targetSchema(query) : {};
  const required = (described.required ?? []) as readonly string[];
  const inQuery = Object.entries((described.properties ?? {}) as Record<string, JsonSchema>).map(([name, schema]) => ({
    name,
    in: 'query',
    required: required.includes(name),
    schema,
  }));
  const header = (name: string, required: boolean, description: string) => ({
    name,
    in: 'header',
    required,
    description,
    schema: { type: 'string' },
  });
  return [
    ...inPath,
    ...inQuery,
    ...(idempotent ? [header('Idempotency-Key', false, 'Sent again with the same key, it is done once.')] : []),
    ...(ifMatch ? [header('If-Match', true, 'The ETag of the state that is changed.')] : []),
  ];
}

function refusalsOf<U extends User>(route: AnyRoute<U>): Record<string, JsonSchema> {
  const described: Readonly<Record<string, string>> = {
    ...(route.path.includes('{') && { 404: 'There is none.' }),
    ...(route.who === 'signed in' && { 401: 'Nobody is signed in.' }),
    ...((route.body ?? route.query) && { 422: 'It was refused; `errors` says what is wrong with each field.' }),
    ...(route.ifMatch && { 412: 'It is another state by now.', 428: 'The header If-Match is missing.' }),
    ...route.refusals,
  };
  const content = { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } };
  return Object.fromEntries(
    Object.entries(described).map(([status, description]) => [status, { description, content }]),
  );
}

const json = (schema: JsonSchema) => ({ 'application/json': { schema } });

function schemaOf(schema: Schema<unknown>, schemas: Record<string, JsonSchema>): JsonSchema {
  if (typeof schema === 'function') return reference(schema, schemas);
  const list = { type: 'array', items: reference(schema.of, schemas) };
  if (schema.shape === 'list') return list;
  return {
    type: 'object',
    properties: { items: list, next: { type: ['string', 'null'], description: '`after` of the next page.' } },
    required: ['items', 'next'],
  };
}

/** The class by its name, among the components; with those that its fields are of. */
function reference(type: Class<unknown>, schemas: Record<string, JsonSchema>): JsonSchema {
  if (!(type.name in schemas)) {
    schemas[type.name] = targetSchema(type);
    for (const nested of nestedIn(type)) reference(nested, schemas);
  }
  return { $ref: `#/components/schemas/${type.name}` };
}

function targetSchema(type: Class<unknown>): JsonSchema {
  return inDialect(
    targetConstructorToSchema(type, { classTransformerMetadataStorage: defaultMetadataStorage }),
  ) as JsonSchema;
}

/** The classes that `@Type` names for its fields. */
function nestedIn(type: Class<unknown>): Class<unknown>[] {
  const properties = Object.keys(targetSchema(type).properties ?? {});
  return properties.flatMap((property) => {
    const found = defaultMetadataStorage.findTypeMetadata(type, property) as TypeFact | undefined;
    return found ? [found.typeFunction() as Class<unknown>] : [];
  });
}
interface TypeFact {
  typeFunction(): unknown;
}

/** From OpenAPI 3.0's words to those of JSON Schema 2020-12. */
function inDialect(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(inDialect);
  if (typeof value !== 'object' || value === null) return value;
  const { nullable, exclusiveMinimum, exclusiveMaximum, ...rest } = value as Record<string, unknown>;
  const changed = Object.fromEntries(Object.entries(rest).map(([name, inner]) => [name, inDialect(inner)]));
  if (exclusiveMinimum === true) [changed.exclusiveMinimum, changed.minimum] = [changed.minimum, undefined];
  else if (typeof exclusiveMinimum === 'number') changed.exclusiveMinimum = exclusiveMinimum;
  if (exclusiveMaximum === true) [changed.exclusiveMaximum, changed.maximum] = [changed.maximum, undefined];
  else if (typeof exclusiveMaximum === 'number') changed.exclusiveMaximum = exclusiveMaximum;
  if (nullable === true && typeof changed.type === 'string') changed.type = [changed.type, 'null'];
  return Object.fromEntries(Object.entries(changed).filter(([, inner]) => inner !== undefined));
}
