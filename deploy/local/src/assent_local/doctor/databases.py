"""A service's database: whether it answers and is current, and what lies in it that should not lie there."""

from collections.abc import AsyncIterator
from datetime import UTC, timedelta
from importlib.resources import as_file, files

import asyncpg
from alembic.config import Config
from alembic.script import ScriptDirectory
from assent_common import audit
from assent_common.audit.checkpoints import AGAIN_AFTER_S, EVERY_S
from assent_common.clock import SystemClock

from assent_local.doctor.finding import Finding, fine, noted, unknown, wrong

PACKAGES = {
    "catalog-api": "assent_catalog",
    "workflow": "assent_workflow",
    "sagemaker-connector": "assent_sagemaker",
}
ANSWER_WITHIN_S = 10
SKEW = timedelta(seconds=5)
#: Longer than a relay, a sealer or a timer that works ever takes.
LATE_S = 60
LATE_CHECKPOINT_S = 5 * EVERY_S
STALE_S = 3600
#: Of what the server allows.
CROWDED = 0.9

REVISION = "select version_num from alembic_version"
BACKLOG = """
select count(*) as pending, coalesce(extract(epoch from now() - min(created_at)), 0)::float8 as oldest
  from (select created_at from outbox where published_at is null order by id limit 100000) o
"""
UNSEALED = "select count(*), extract(epoch from now() - min(at))::float8 as oldest from audit where seq is null"
COULD_CHANGE = "select pg_has_role(relowner, 'usage') from pg_class where oid = 'audit'::regclass"
LEASES = """
select d.duty, bool_or(l.expires_at > now()) as held
  from unnest(array['outbox-relay', 'audit-sealer', 'audit-checkpoints']) as d(duty)
  left join leases l using (duty) group by 1 order by 1
"""
CONNECTIONS = """
select (select sum(numbackends) from pg_stat_database) as open,
       current_setting('max_connections')::int as most
"""
SIGNS = "select exists (select from leases where duty = 'audit-checkpoints')"
UNSIGNED = "select extract(epoch from now() - at)::float8 from audit where seq = $1 + 1"
TIMERS = """
select count(*) filter (where fire_at < now() - make_interval(secs => $1) and failures = 0) as late,
       count(*) filter (where failures > 0) as failing,
       (array_agg(failure) filter (where failures > 0))[1] as reason,
       count(*) as pending
  from timers where fired_at is null
"""
SOURCES = """
select name, last_error, extract(epoch from now() - seen_until)::float8 as age from sources
 where seen_until is null or seen_until < now() - make_interval(secs => $1) or last_error is not null
 order by seen_until nulls first limit 20
"""


async def look(service: str, url: str) -> AsyncIterator[Finding]:
    """Everything there is to say of one service's database."""
    try:
        connection = await _connect(url)
    except (OSError, TimeoutError, asyncpg.PostgresError) as error:
        do = "See that Postgres runs, and that ASSENT_DATABASE_URL names its host, user, password and database."
        yield wrong("postgres", service, f"does not let us in: {error!r}", do, "AssentRequestsFail")
        return
    try:
        async for finding in _look(service, connection):
            yield finding
    except (OSError, TimeoutError, asyncpg.PostgresError) as error:
        yield unknown("postgres", service, f"could not be looked at to the end: {error!r}")
    finally:
        await connection.close()


async def _connect(url: str) -> asyncpg.Connection:
    return await asyncpg.connect(url.replace("postgresql+asyncpg://", "postgresql://"), timeout=ANSWER_WITHIN_S)


async def _look(service: str, connection: asyncpg.Connection) -> AsyncIterator[Finding]:
    yield await _connections(service, connection)
    yield await _clock(service, connection)
    current = await _migrations(service, connection)
    yield current
    if current.do:
        # What follows would ask for tables that may not be there.
        return
    yield await _outbox(service, connection)
    async for finding in _duties(service, connection):
        yield finding
    async for finding in _audit(service, connection):
        yield finding
    if service == "workflow":
        yield await _timers(service, connection)
    if service == "sagemaker-connector":
        async for finding in _sources(connection):
            yield finding


async def _connections(service: str, connection: asyncpg.Connection) -> Finding:
    row = await connection.fetchrow(CONNECTIONS)
    says = f"answers; {row['open']} of {row['most']} connections are open"
    if row["open"] < CROWDED * row["most"]:
        return fine("postgres", service, says)
    do = "Lower ASSENT_DATABASE_POOL_SIZE, or raise max_connections: the pools of all processes must fit."
    return wrong("postgres", service, says, do, "AssentRequestsFail")


async def _clock(service: str, connection: asyncpg.Connection) -> Finding:
    before = SystemClock().now()
    theirs = (await connection.fetchval("select clock_timestamp()")).astimezone(UTC)
    after = SystemClock().now()
    off = max(before - theirs, theirs - after, timedelta())
    if off <= SKEW:
        return fine("clock", service, "the database's clock is this machine's")
    says = f"the database's clock is {off.total_seconds():.0f} s off this machine's"
    return wrong("clock", service, says, "Let both ask the same time servers: tokens and due times go by these clocks.")


async def _migrations(service: str, connection: asyncpg.Connection) -> Finding:
    with as_file(files(PACKAGES[service]) / "migrations") as folder:
        config = Config()
        config.set_main_option("script_location", str(folder))
        config.set_main_option("path_separator", "os")
        head = ScriptDirectory.from_config(config).get_current_head()
    try:
        revision = await connection.fetchval(REVISION)
    except asyncpg.UndefinedTableError:
        revision = None
    if revision == head:
        return fine("migrations", service, f"the schema is at {head}")
    do = f"Start {service} of this release: it brings its schema up to date by itself, and says what hinders it."
    says = f"the schema is at {revision}, this release's is {head}"
    return wrong("migrations", service, says, do, "AssentServiceDown")


async def _outbox(service: str, connection: asyncpg.Connection) -> Finding:
    row = await connection.fetchrow(BACKLOG)
    says = f"{row['pending']} events wait to be published, the oldest for {row['oldest']:.0f} s"
    if row["oldest"] <= LATE_S:
        return fine("outbox", service, says)
    do = "See that a process of the service runs and reaches Kafka; they are published by themselves then."
    return wrong("outbox", service, says, do, "AssentEventsNotPublished")


async def _duties(service: str, connection: asyncpg.Connection) -> AsyncIterator[Finding]:
    for row in await connection.fetch(LEASES):
        if row["held"]:
            yield fine("duties", service, f"{row['duty']} is somebody's")
        elif row["duty"] == "audit-checkpoints":
            do = "Set ASSENT_SIGNING_KEY: without it nobody witnesses the log's end, and a cut would not show."
            yield noted("duties", service, "nobody signs audit checkpoints", do)
        else:
            do = f"No process of {service} does it: start one, or see in its log why it cannot."
            yield wrong("duties", service, f"{row['duty']} is nobody's", do, "AssentServiceDown")


async def _audit(service: str, connection: asyncpg.Connection) -> AsyncIterator[Finding]:
    if not await audit.is_guarded(connection):
        do = "Find out who took the triggers of `audit` away, run `assent audit verify`, and put them back."
        yield wrong("audit", service, "the database would let audit records be changed", do, "AssentAuditBroken")
    elif await connection.fetchval(COULD_CHANGE):
        do = "Let it work as a role that does not own the tables: docs/how-to/separate-the-database-roles.md"
        yield noted("audit", service, "the role that the service works as could take the guard of its records away", do)
    row = await connection.fetchrow(UNSEALED)
    says = f"{row['count']} audit records are not chained yet"
    if (row["oldest"] or 0) <= LATE_S:
        yield fine("audit", service, says)
    else:
        do = "The sealer is part of what publishes events: see `outbox` and `duties` above."
        yield wrong("audit", service, f"{says}, the oldest for {row['oldest']:.0f} s", do, "AssentAuditNotSealed")


async def checkpoint(service: str, url: str, size: int | None, age_s: float) -> Finding:
    """Held against the last one that Kafka has of the service's log; `size` None: it has none."""
    connection = await _connect(url)
    try:
        head = await audit.head(connection)
        signs = await connection.fetchval(SIGNS)
        unsigned_s = await connection.fetchval(UNSIGNED, size or 0) or 0.0
    finally:
        await connection.close()
    do = "See in the service's log for `audit_checkpoint_not_published`; then `assent audit verify`."
    if not signs and size is None:
        return fine("checkpoint", service, "there is none: nobody signs")
    if (size or 0) > head.seq:
        says = f"{size} records were signed for, and there are {head.seq}: an end was cut off, or a backup put back"
        return wrong("checkpoint", service, says, "Run `assent audit verify` at once.", "AssentAuditBroken")
    says = f"{size or 0} of {head.seq} chained records are signed for"
    if unsigned_s > LATE_CHECKPOINT_S or age_s > AGAIN_AFTER_S + LATE_CHECKPOINT_S:
        return wrong("checkpoint", service, f"{says}, for {max(unsigned_s, age_s):.0f} s", do, "AssentAuditBroken")
    return fine("checkpoint", service, says)


async def _timers(service: str, connection: asyncpg.Connection) -> Finding:
    row = await connection.fetchrow(TIMERS, LATE_S)
    says = f"{row['pending']} wait for their time"
    if row["failing"]:
        says = f"{row['failing']} of {row['pending']} timers could not be fired: {row['reason']}"
    elif row["late"]:
        says = f"{row['late']} of {row['pending']} timers should have fired by now"
    else:
        return fine("timers", service, says)
    do = "See in the workflow's log why; they fire once that is mended."
    return wrong("timers", service, says, do, "AssentTimersPutOff")


async def _sources(connection: asyncpg.Connection) -> AsyncIterator[Finding]:
    rows = await connection.fetch(SOURCES, STALE_S)
    for row in rows:
        age = "was never read to its end" if row["age"] is None else f"was last read to its end {row['age']:.0f} s ago"
        says = f"{age}{': ' + row['last_error'] if row['last_error'] else ''}"
        do = f"assent sources test {row['name']}"
        yield wrong("source", row["name"], says, f"`{do}` says what its role lacks.", "AssentSourceStale")
    if not rows:
        count = await connection.fetchval("select count(*) from sources")
        yield fine("source", "all", f"{count} sources are read")
