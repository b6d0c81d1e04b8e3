-- The ledger. Each table except `events` follows from the events. It changes in the
-- transaction of its event.

-- One row for each event, numbered from 1 without a gap.
CREATE TABLE events (
    seq INTEGER PRIMARY KEY,
    module TEXT,
    record TEXT NOT NULL
) STRICT;
CREATE INDEX events_of_module ON events (module, seq);

-- What a restart returns to: for each module the last row whose file is not blocked. No digest:
-- no version.
CREATE TABLE confirmed (
    id INTEGER PRIMARY KEY,
    module TEXT NOT NULL,
    digest TEXT,
    version TEXT,
    seq INTEGER NOT NULL
) STRICT;
CREATE INDEX confirmed_of_module ON confirmed (module, id);

-- Versions on trial: current and not confirmed. A restart does not return to them.
CREATE TABLE trials (
    module TEXT PRIMARY KEY,
    digest TEXT NOT NULL,
    version TEXT NOT NULL,
    seq INTEGER NOT NULL
) STRICT;

-- Blocked files. No load accepts them, from any source.
CREATE TABLE blocked (
    digest TEXT PRIMARY KEY,
    module TEXT NOT NULL,
    version TEXT NOT NULL,
    why TEXT NOT NULL,
    seq INTEGER NOT NULL
) STRICT;

-- Modules that a command made sticky, or made not sticky although the file asks for it.
CREATE TABLE sticky (
    module TEXT PRIMARY KEY,
    is_sticky INTEGER NOT NULL
) STRICT;

-- What was last loaded, or refused, from each file of the modules directory. After a restart the
-- same bytes are not loaded again.
CREATE TABLE drop_ins (
    path TEXT PRIMARY KEY,
    digest TEXT NOT NULL
) STRICT;

-- The path from which a file that refers to its own directory ($ORIGIN) was loaded. Its libraries are
-- searched there, also after a restart. A ledger that is older than this table gets it when it is opened.
CREATE TABLE IF NOT EXISTS origins (
    digest TEXT PRIMARY KEY,
    file TEXT NOT NULL
) STRICT;

-- The answers to commands with an idempotency key.
CREATE TABLE answers (
    key TEXT PRIMARY KEY,
    command TEXT NOT NULL,
    answer TEXT NOT NULL,
    seq INTEGER NOT NULL
) STRICT;

-- Counters that continue after a restart.
CREATE TABLE numbers (
    name TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT;
