/** Of what {@link QUEUE_SCHEMA} makes. Add one with each change of it. */
export const QUEUE_VERSION = 1;

/** Of graphile-worker's own tables, which the functions below write to: the last migration of the pinned release. */
export const GRAPHILE_MIGRATION = 18;

/** First number of the advisory locks of workers: ASCII "bwjb". The second is a lease; 0 is the one who looks for dead ones. */
export const LEASE_LOCKS = 0x62776a62;

/**
 * What the queue has beside graphile-worker's own tables.
 *
 * `enqueue` inserts the row that graphile's `add_job` would, without what that function reads: at `serializable`, 62 of
 * 64 concurrent transactions that call `add_job` for unrelated jobs fail once with 40001, for it scans the table; of
 * those that call this one, none. The functions plan without sequential scans for the same reason: a scan of a small
 * table counts as having read all of it.
 */
export const QUEUE_SCHEMA = `
create schema if not exists bellwether_jobs;

create table if not exists bellwether_jobs.keys (
  name text not null,
  key text not null,
  job_id bigint not null,
  expires_at timestamptz,
  primary key (name, key)
);
create index if not exists keys_job on bellwether_jobs.keys (job_id);
create index if not exists keys_expiry on bellwether_jobs.keys (expires_at) where expires_at is not null;
comment on table bellwether_jobs.keys is 'The keys that jobs were enqueued under; each gives one job until it expires.';

create sequence if not exists bellwether_jobs.lease as int cycle;
create table if not exists bellwether_jobs.workers (
  worker_id text primary key,
  lease int not null,
  missed_at timestamptz
);
comment on column bellwether_jobs.workers.lease is
  'The process holds the advisory lock (${LEASE_LOCKS}, lease) for as long as it lives.';
comment on column bellwether_jobs.workers.missed_at is 'Since when nobody was seen to hold that lock.';

create or replace function bellwether_jobs.enqueue(
  name text, payload json, run_at timestamptz, delay_ms bigint, max_attempts int, priority int,
  key text, keep_ms bigint, pending_key text, keep_run_at boolean,
  out job_id bigint, out is_new boolean
) language plpgsql set enable_seqscan = off as $$
#variable_conflict use_column
declare
  due timestamptz := coalesce(enqueue.run_at, now() + enqueue.delay_ms * interval '1 millisecond', now());
  expiry timestamptz := now() + enqueue.keep_ms * interval '1 millisecond';
  new_id bigint := nextval(pg_get_serial_sequence('graphile_worker._private_jobs', 'id'));
  task int;
begin
  if enqueue.key is not null then
    loop
      insert into bellwether_jobs.keys (name, key, job_id, expires_at)
        values (enqueue.name, enqueue.key, new_id, expiry) on conflict do nothing;
      exit when found;
      update bellwether_jobs.keys as k set job_id = new_id, expires_at = expiry
        where k.name = enqueue.name and k.key = enqueue.key and k.expires_at <= now();
      exit when found;
      select k.job_id, false into enqueue.job_id, enqueue.is_new
        from bellwether_jobs.keys k where k.name = enqueue.name and k.key = enqueue.key;
      if found then return; end if; -- else it expired, and was swept away in between
    end loop;
  end if;
  select t.id into task from graphile_worker._private_tasks t where t.identifier = enqueue.name;
  if not found then
    insert into graphile_worker._private_tasks (identifier) values (enqueue.name) on conflict do nothing;
    select t.id into task from graphile_worker._private_tasks t where t.identifier = enqueue.name;
  end if;
  loop
    insert into graphile_worker._private_jobs as j (id, task_id, payload, run_at, max_attempts, priority, key)
      overriding system value
      values (new_id, task, enqueue.payload, due, coalesce(enqueue.max_attempts, 25),
        coalesce(enqueue.priority, 0), enqueue.pending_key)
      on conflict (key) do update set
        task_id = excluded.task_id, payload = excluded.payload, max_attempts = excluded.max_attempts,
        priority = excluded.priority, revision = j.revision + 1, attempts = 0, last_error = null, updated_at = now(),
        run_at = case when enqueue.keep_run_at and j.attempts = 0 then j.run_at else excluded.run_at end
      where j.is_available
      returning j.id, j.revision = 0 into enqueue.job_id, enqueue.is_new;
    exit when found;
    -- The one under that word runs, or is dead: it gives up the word, and if it fails it is not tried again.
    update graphile_worker._private_jobs as j set key = null, attempts = j.max_attempts
      where j.key = enqueue.pending_key and not j.is_available;
  end loop;
  if due <= now() then
    perform pg_notify('jobs:insert', json_build_object('r', random(), 'count', 1)::text);
  end if;
end $$;

-- Whether the job was the worker's still. In the handler's transaction, it makes the job and its writes one.
create or replace function bellwether_jobs.finish(job_id bigint, worker_id text) returns boolean
language plpgsql set enable_seqscan = off as $$
declare queue int;
begin
  delete from graphile_worker._private_jobs j where j.id = finish.job_id and j.locked_by = finish.worker_id
    returning j.job_queue_id into queue;
  if not found then return false; end if;
  update graphile_worker._private_job_queues q set locked_at = null, locked_by = null
    where q.id = queue and q.locked_by = finish.worker_id;
  return true;
end $$;

-- verdict: 'retry', 'give up', or 'interrupted', which costs no attempt. No row when the job is no longer the worker's.
create or replace function bellwether_jobs.fail(job_id bigint, worker_id text, error text, verdict text)
returns table (is_dead boolean, next_run_at timestamptz)
language plpgsql set enable_seqscan = off as $$
declare queue int;
begin
  update graphile_worker._private_jobs j set
      locked_at = null, locked_by = null, last_error = coalesce(fail.error, j.last_error), updated_at = now(),
      attempts = case verdict when 'give up' then j.max_attempts
        when 'interrupted' then least(greatest(j.attempts - 1, 0), j.max_attempts - 1) else j.attempts end,
      run_at = now() + case verdict when 'interrupted' then interval '0' else exp(least(j.attempts, 10)) * interval '1 second' end
    where j.id = fail.job_id and j.locked_by = fail.worker_id
    returning not j.is_available, j.run_at, j.job_queue_id into is_dead, next_run_at, queue;
  if not found then return; end if;
  update graphile_worker._private_job_queues q set locked_at = null, locked_by = null
    where q.id = queue and q.locked_by = fail.worker_id;
  if verdict = 'interrupted' then
    perform pg_notify('jobs:insert', json_build_object('r', random(), 'count', 1)::text);
  end if;
  return next;
end $$;

-- Lets go of what the workers of a lease have locked, and forgets them; gives the jobs. A job whose row is locked is
-- just being ended by its worker after all: it is left for the next call, and the worker is remembered until then.
create or replace function bellwether_jobs.retire(lease int)
returns table (job_id bigint, name text, attempts int, is_dead boolean)
language plpgsql as $$
declare
  theirs text[] := array (select w.worker_id from bellwether_jobs.workers w where w.lease = retire.lease);
begin
  return query
    with held as (
      select j.id from graphile_worker._private_jobs j where j.locked_by = any (theirs) for update skip locked
    ), freed as (
      update graphile_worker._private_jobs j set
          locked_at = null, locked_by = null, run_at = greatest(j.run_at, now()), updated_at = now(),
          last_error = 'The worker that ran it died.'
        from held where j.id = held.id returning j.*
    )
    select f.id, t.identifier, f.attempts::int, not f.is_available
      from freed f join graphile_worker._private_tasks t on t.id = f.task_id;
  if found then perform pg_notify('jobs:insert', json_build_object('r', random(), 'count', 100)::text); end if;
  update graphile_worker._private_job_queues q set locked_at = null, locked_by = null where q.locked_by = any (theirs);
  delete from bellwether_jobs.workers w
    where w.lease = retire.lease
      and not exists (select from graphile_worker._private_jobs j where j.locked_by = any (theirs));
end $$;

-- Retires the workers whose lock nobody has held for that long, and sweeps expired keys. own: the caller's lease.
create or replace function bellwether_jobs.take_over(own int, after_ms bigint)
returns table (job_id bigint, name text, attempts int, is_dead boolean)
language plpgsql as $$
declare suspect int;
begin
  if not pg_try_advisory_xact_lock(${LEASE_LOCKS}, 0) then return; end if;
  delete from bellwether_jobs.keys where ctid = any (array (
    select k.ctid from bellwether_jobs.keys k where k.expires_at <= now() limit 1000 for update skip locked));
  for suspect in select distinct w.lease from bellwether_jobs.workers w where w.lease <> own loop
    if not pg_try_advisory_xact_lock(${LEASE_LOCKS}, suspect) then
      update bellwether_jobs.workers w set missed_at = null where w.lease = suspect and w.missed_at is not null;
      continue;
    end if;
    update bellwether_jobs.workers w set missed_at = now() where w.lease = suspect and w.missed_at is null;
    if (select max(w.missed_at) <= now() - after_ms * interval '1 millisecond'
        from bellwether_jobs.workers w where w.lease = suspect) then
      return query select * from bellwether_jobs.retire(suspect);
    end if;
  end loop;
end $$;

create or replace function bellwether_jobs.version() returns int immutable language sql as 'select ${QUEUE_VERSION}';
`;
