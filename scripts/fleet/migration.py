"""The next release's migration, made up: columns, a table and an index in every schema, as `souk migrate` applies them
while the release before goes on. And the way back, so that this release can be migrated again."""

import os
import subprocess
from urllib.parse import unquote, urlsplit

from layout import FleetError, postgres_programs, without_souk

SCHEMAS = ["products", "orders", "payments", "users", "auth", "notifications", "sandbox"]
COLUMN = "of_the_next_release"
# PostgreSQL ends one of two transactions that wait for each other; `souk migrate` runs such a one again, whole.
DEADLOCK, TRIES = "40P01", 10

FORWARD = """
BEGIN;
SET LOCAL search_path = {schema};
SELECT pg_advisory_xact_lock({lock});
DO $$
DECLARE name text;
BEGIN
    FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = '{schema}' AND tablename <> 'schema_migrations' LOOP
        EXECUTE format('ALTER TABLE %I ADD COLUMN {column} TEXT NOT NULL DEFAULT ''''', name);
    END LOOP;
    SELECT relname INTO name FROM pg_class
        WHERE relnamespace = '{schema}'::regnamespace AND relkind = 'r' AND relname <> 'schema_migrations'
        ORDER BY pg_relation_size(oid) DESC LIMIT 1;
    EXECUTE format('CREATE INDEX {column}_index ON %I ({column})', name);
    CREATE TABLE {column} (id BIGINT PRIMARY KEY, note TEXT NOT NULL);
END $$;
INSERT INTO schema_migrations SELECT max(number) + 1, '{column}', '0', 0 FROM schema_migrations;
COMMIT;
"""

BACK = """
BEGIN;
SET LOCAL search_path = {schema};
SELECT pg_advisory_xact_lock({lock});
DROP TABLE {column};
DO $$
DECLARE name text;
BEGIN
    FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = '{schema}' AND tablename <> 'schema_migrations' LOOP
        EXECUTE format('ALTER TABLE %I DROP COLUMN {column}', name);
    END LOOP;
END $$;
DELETE FROM schema_migrations WHERE name = '{column}';
COMMIT;
"""


def apply(script: str, schema: str, database: str) -> None:
    """`database` as in SOUK_DATABASE."""
    url = urlsplit(database)
    command = [str(postgres_programs() / "psql"), "--no-psqlrc", "--quiet"]
    command += ["--set", "ON_ERROR_STOP=1", "--set", "VERBOSITY=verbose", "--host", url.hostname]
    command += ["--port", str(url.port), "--username", url.username, "--dbname", url.path[1:]]
    text = script.format(schema=schema, column=COLUMN, lock=writers_lock(schema))
    environment = {**without_souk(dict(os.environ)), "PGPASSWORD": unquote(url.password or "")}
    for _ in range(TRIES):
        result = subprocess.run(command, input=text, env=environment, capture_output=True, text=True)
        if result.returncode == 0:
            return
        if DEADLOCK not in result.stderr:
            break
    raise FleetError(f"the migration of {schema} failed: {result.stderr}")


def writers_lock(schema: str) -> int:
    """The number of the lock that a schema's writers take turns by: the FNV-1a of its name, as a signed number."""
    number = 0xCBF29CE484222325
    for byte in f"souk/{schema}".encode():
        number = ((number ^ byte) * 0x100000001B3) % 2**64
    return number - 2**64 if number >= 2**63 else number
