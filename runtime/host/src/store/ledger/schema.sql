-- What outlives the process. Every table but `events` follows from the events, and is changed in the transaction of the event
-- that changes it.

-- What happened: one row an event, numbered from 1 without a gap.
CREATE TABLE events (
    seq INTEGER PRIMARY KEY,
    module TEXT,
    record TEXT NOT NULL
) STRICT;
CREATE INDEX events_of_module ON events (module, seq);

-- What a restart returns to: of each module the last row whose file is not blocked. A row without a digest: to no version.
CREATE TABLE confirmed (
    id INTEGER PRIMARY KEY,
    module TEXT NOT NULL,
    digest TEXT,
    version TEXT,
    seq INTEGER NOT NULL
) STRICT;
CREATE INDEX confirmed_of_module ON confirmed (module, id);

-- Versions that are current and not confirmed. A restart does not return to them.
CREATE TABLE trials (
    module TEXT PRIMARY KEY,
    digest TEXT NOT NULL,
    version TEXT NOT NULL,
    seq INTEGER NOT NULL
) STRICT;

-- Files that are not loaded, however they come.
CREATE TABLE blocked (
    digest TEXT PRIMARY KEY,
    module TEXT NOT NULL,
    version TEXT NOT NULL,
    why TEXT NOT NULL,
    seq INTEGER NOT NULL
) STRICT;

-- Modules that somebody made sticky, or made not sticky against the file's own wish.
CREATE TABLE sticky (
    module TEXT PRIMARY KEY,
    is_sticky INTEGER NOT NULL
) STRICT;

-- What was last taken from each file of the modules directory: the same bytes there after a restart are nothing new.
CREATE TABLE drop_ins (
    path TEXT PRIMARY KEY,
    digest TEXT NOT NULL
) STRICT;

-- Where a file that names its own directory, as $ORIGIN, was loaded from: its libraries are looked for there, also after a restart.
-- A ledger that was made before this table gets it when it is opened.
CREATE TABLE IF NOT EXISTS origins (
    digest TEXT PRIMARY KEY,
    file TEXT NOT NULL
) STRICT;

-- What commands with a key were answered.
CREATE TABLE answers (
    key TEXT PRIMARY KEY,
    command TEXT NOT NULL,
    answer TEXT NOT NULL,
    seq INTEGER NOT NULL
) STRICT;

-- Numbers that go on over restarts.
CREATE TABLE numbers (
    name TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT;
