# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What masked columns still hold is looked at wherever it lies, and said where it cannot be."""

from __future__ import annotations

from restoring import run, take

KEPT = """CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN NEW.email := OLD.email; RETURN NEW; END $$;
CREATE TABLE parted (id int, email text) PARTITION BY RANGE (id);
CREATE TABLE "Part 1" PARTITION OF parted FOR VALUES FROM (0) TO (2);
CREATE TABLE part2 (x text, email text, id int);
ALTER TABLE part2 DROP COLUMN x;
ALTER TABLE parted ATTACH PARTITION part2 FOR VALUES FROM (2) TO (9);
INSERT INTO parted VALUES (1, 'a@example.com'), (2, 'b@example.com'), (3, 'c@example.com');
CREATE TRIGGER keep BEFORE UPDATE ON part2 FOR EACH ROW EXECUTE FUNCTION keep();
CREATE TABLE parent (id int, email text);
CREATE TABLE child () INHERITS (parent);
INSERT INTO parent VALUES (1, 'a@example.com'); INSERT INTO child VALUES (2, 'b@example.com');
CREATE TRIGGER keep BEFORE UPDATE ON child FOR EACH ROW EXECUTE FUNCTION keep();
CREATE TABLE computed (id int, "Email" text, shown text GENERATED ALWAYS AS ("Email" || '!') STORED);
INSERT INTO computed VALUES (1, 'a@example.com');
CREATE VIEW viewed AS SELECT * FROM parent;
CREATE INDEX ON part2 (upper(email))"""
MASK = """UPDATE parted SET email = 'masked-' || id; UPDATE public.parent SET email = 'x';
UPDATE computed SET "Email" = 'y', shown = DEFAULT; UPDATE viewed SET email = 'z';
DO $$ BEGIN CREATE TEMPORARY TABLE gone (id int); END $$"""


def test_partitions_children_and_what_cannot_be_looked_at(host):
    host.run("a")
    host.query("a", KEPT)
    take(host, "a")
    answer = run(host, "a", backup="latest", backup_first=False, keep_old=0, mask=[MASK])
    assert answer["unmasked"] == [
        {"table": "parted", "column": "email", "rows": 2},
        {"table": "public.parent", "column": "email", "rows": 1},
    ]
    unread = [str(one) for one in answer["warnings"] if "could not be looked at" in str(one)]
    assert len(unread) == 2, answer["warnings"]
    assert "column shown of computed" in unread[0] and "the server computes it" in unread[0]
    assert "column email of viewed" in unread[1] and "it is a view" in unread[1]
    assert host.query("a", "SELECT email FROM parted WHERE id = 1") == [("masked-1",)]
