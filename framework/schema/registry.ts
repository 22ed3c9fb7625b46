import { InvalidModelsError } from './errors';
import { buildSchema } from './build-schema';
import type { Fact, FactSource, ModelClass } from './facts';
import type { ModelSchema } from './model-schema';

/** A check of one model's facts among all; says each problem as a sentence after the model's name. */
export type SchemaRule = (schema: ModelSchema, registry: ModelRegistry) => readonly string[];

/**
 * Two phases. While modules load, decorators `declare` facts and nothing is looked at, so neither the order
 * of imports nor cycles between model files matter. The first use of any model seals all that are declared
 * by then: all their facts are checked together.
 */
export class ModelRegistry implements FactSource {
  readonly #facts = new Map<ModelClass, Fact[]>();
  readonly #schemas = new Map<ModelClass, ModelSchema>();
  readonly #rules: SchemaRule[] = [];
  readonly #onSeal: ((schema: ModelSchema) => void)[] = [];

  declare(model: ModelClass, fact: Fact): void {
    const facts = this.#facts.get(model);
    if (facts) facts.push(fact);
    else this.#facts.set(model, [fact]);
  }

  /** For features: a check that runs when models are sealed. */
  addRule(rule: SchemaRule): void {
    this.#rules.push(rule);
  }

  /** For features: what is to be prepared for each model once it is known to be sound. */
  onSeal(prepare: (schema: ModelSchema) => void): void {
    this.#onSeal.push(prepare);
  }

  /** @throws InvalidModelsError naming every problem of every model found so far, not the first only */
  schemaOf(model: ModelClass): ModelSchema {
    const known = this.#schemas.get(model);
    if (known) return known;
    this.#seal();
    const schema = this.#schemas.get(model);
    if (!schema) throw new InvalidModelsError([`${model.name}: has no @Table, so no table holds its records.`]);
    return schema;
  }

  /** Every model with a table, sealed. */
  all(): readonly ModelSchema[] {
    this.#seal();
    return this.sealed;
  }

  /** Those that are sealed by now. */
  get sealed(): readonly ModelSchema[] {
    return [...this.#schemas.values()];
  }

  /** The facts of a model and, before them, of the classes that it extends. */
  factsOf(model: ModelClass): readonly Fact[] {
    const parent = Object.getPrototypeOf(model) as ModelClass | null;
    const inherited = parent === null || parent === Function.prototype ? [] : this.factsOf(parent);
    const own = this.#facts.get(model) ?? [];
    // A table belongs to the class that names it; a class that extends it needs one of its own.
    return [...inherited.filter((fact) => fact.kind !== 'table'), ...own];
  }

  #seal(): void {
    const fresh = [...this.#facts.keys()].filter(
      (model) => !this.#schemas.has(model) && this.#facts.get(model)!.some((fact) => fact.kind === 'table'),
    );
    if (fresh.length === 0) return;
    const problems: string[] = [];
    const built = fresh.map((model) => buildSchema(model, this.factsOf(model), this, problems));
    for (const schema of built) {
      for (const rule of this.#rules) {
        for (const problem of rule(schema, this)) problems.push(`${schema.name}${problem}`);
      }
    }
    if (problems.length > 0) throw new InvalidModelsError(problems);
    for (const schema of built) {
      this.#schemas.set(schema.model, schema);
      for (const prepare of this.#onSeal) prepare(schema);
    }
  }
}

export const modelRegistry = new ModelRegistry();
