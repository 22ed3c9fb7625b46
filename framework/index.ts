// The public API of the package. What is not exported here is internal.

export { sql } from 'kysely';

// Modelling
export { Model } from './model/model';
export type { Changes, ModelOf } from './model/model';
export type { BulkResult, InsertAllOptions, UpsertAllOptions } from './model/bulk-options';
export type { RowWait, WithLockOptions } from './model/lock';
export type { SaveOptions } from './model/save';
export type { ConflictOptions, DestroyOptions, PreconditionOptions } from './model/conflict';
export { assertIfMatch, etagOf, isFresh } from './model/etag';
export { Column, CreatedAt, Id, Table, UpdatedAt, Version, Virtual } from './schema/decorators';
export type { ColumnDecorator, ColumnOptions, TableOptions, VersionDecorator } from './schema/decorators';
export type { OnConflict } from './schema/facts';
export type { AttributeConflict } from './attributes/merge';
export { Decimal } from './schema/column-types';
export type { ColumnTypeName, ColumnValue, ColumnValues } from './schema/column-types';
export type { Change } from './attributes/record-state';
export type { AssociationName, AttributeName, AttributeValues } from './attributes/types';

// Associations
export { BelongsTo, HasMany, HasOne } from './associations/decorators';
export type { HasManyThrough } from './associations/types';
export type { BelongsToOptions, HasOptions, PolymorphicOptions, ThroughOptions } from './associations/decorators';
export type { Dependent } from './associations/facts';

// Validations and callbacks
export { Check, Unique, Validates } from './validation/decorators';
export type { CheckOptions, UniqueOptions, ValidatesOptions } from './validation/decorators';
export type { Problem, RecordErrors } from './validation/errors';
export * from './callbacks/decorators';

// Rules over several rows
export { Invariant, LockedBy } from './consistency/decorators';
export type { InvariantOptions } from './consistency/decorators';
export { checkInvariants } from './consistency/check-invariants';

// Counters
export { Counter } from './consistency/counter-decorator';
export type { CounterOptions } from './consistency/counter-decorator';
export * from './consistency/counter-errors';

// Queries
export type { Query, Refinements } from './query/query';
export type { Condition, ConditionBuilder, Conditions, Operator } from './query/conditions';
export type { Page, PageOptions } from './query/keyset';
export type { Direction } from './query/ordering';
export type { LockStrength, LockWait } from './query/plan';

// Transactions
export { connect } from './client/connect';
export type { ConnectOptions } from './client/connect';
export type { AddressOptions } from './client/address';
export { createDatabase, CreateDatabaseError } from './client/create-database';
export type { Database } from './client/database';
export type { PoolState } from './database/pool';
export { GUARANTEES } from './transaction/consistency-session';
export type { ConsistencySession, Guarantee, SessionOptions } from './transaction/consistency-session';
export { advisoryLock } from './transaction/advisory-lock';
export type { AdvisoryLock, KeyPart } from './transaction/advisory-lock';
export { unsafeReads } from './transaction/held-reads';
export { currentTransaction } from './transaction/current';
export { explainOperation } from './transaction/explain';
export type { Explanation } from './transaction/explain';
export type { OperationOptions } from './transaction/operation';
export { Transactional, transactional } from './transaction/transactional';
export type { Operation } from './transaction/transactional';
export type { TransactionOptions } from './transaction/options';
export type { Transaction } from './transaction/transaction';
export { EVERYDAY_NAMES, PHENOMENA } from './theory/anomalies';
export type { Anomaly, EverydayName, Phenomenon } from './theory/anomalies';
export { engineCalling, ENGINES, isolationTable, verdictOn } from './theory/engines';
export type { Engine, LevelFacts, SpokenEngine, Verdict } from './theory/engines';
export { FORBIDDEN, ISOLATION_LEVELS, weakestLevelForbidding } from './theory/isolation';
export type { AtLeast, IsolationLevel, WeakestForbidding } from './theory/isolation';
export type { EventName, FrameworkEvents } from './telemetry/events';

// Notifications
export { channel } from './notifications/channel';
export type { Channel } from './notifications/channel';
export { notify } from './notifications/notify';
export type { Listening, ListenOptions } from './notifications/listener';

// Migrations
export { migration } from './migration/definition';
export type { MigrationDatabase, MigrationDefinition } from './migration/definition';
export { migrate, migrationStatus, plannedMigrations, redo, rollback } from './migration/migrate';
export type { MigrateOptions, MigrationOptions, PlannedMigration, RollbackOptions } from './migration/migrate';
export type { MigrationStatus } from './migration/plan';

// Jobs
export { job } from './jobs/job';
export type { AnyJob, Job, JobContext, JobHandler, JobOptions, RunningJob } from './jobs/job';
export type { Json } from './core/json';
export type { JsonObject, NoPayload } from './jobs/payload';
export { enqueue } from './jobs/enqueue';
export type { Enqueued, EnqueueOptions } from './jobs/enqueue';
export { schedule } from './jobs/schedule';
export type { Schedule, ScheduleOptions } from './jobs/schedule';
export { startWorkers } from './jobs/start-workers';
export type { Workers, WorkersOptions } from './jobs/start-workers';
export { deadJobs, discardJobs, jobCounts, replayJobs } from './jobs/dead-jobs';
export type { DeadJob, DeadJobFilter, JobCounts } from './jobs/dead-jobs';
export { installJobs } from './jobs/install';

// Errors
export { BellwetherError } from './core/errors';
export type { Recovery } from './core/errors';
export { InvalidOptionError } from './core/invalid-option-error';
export { InvalidModelsError, UnreadableValueError } from './schema/errors';
export type { DeadlockProcess } from './database/deadlock';
export * from './database/errors';
export * from './transaction/errors';
export * from './query/errors';
export * from './model/errors';
export { ValidationError } from './validation/errors';
export * from './associations/errors';
export { InvariantViolationError } from './consistency/errors';
export { CallbackHaltedError } from './callbacks/run';
export { SchemaMismatchError } from './verify/errors';
export type { Finding } from './verify/finding';
export * from './migration/errors';
export * from './notifications/errors';
export * from './jobs/errors';
export {
  EmbeddedBinariesMissingError,
  EmbeddedBinariesUnusableError,
  EmbeddedDiskFullError,
  EmbeddedElsewhereError,
  EmbeddedNoPortError,
  EmbeddedPermissionError,
  EmbeddedServerError,
  EmbeddedStartFailedError,
  EmbeddedTimeoutError,
  EmbeddedUserError,
  EmbeddedVersionError,
  InitdbFailedError,
  SupervisorFailedError,
} from './embedded/errors';
