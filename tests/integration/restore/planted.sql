-- As the owner of a database: something of theirs in everything that PostgreSQL lets an owner attach code to. Whatever
-- is evaluated in a superuser's session fails, and says so.
CREATE SCHEMA app;
CREATE FUNCTION app.spy(where_ text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $f$
BEGIN
  IF current_setting('is_superuser') OPERATOR(pg_catalog.=) 'on' OR
    (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname OPERATOR(pg_catalog.=) current_user) THEN
    RAISE EXCEPTION 'caught the superuser in %', where_;
  END IF;
  RETURN true;
END $f$;
CREATE FUNCTION app.spied(value integer, where_ text) RETURNS integer LANGUAGE plpgsql IMMUTABLE AS $f$
BEGIN PERFORM app.spy(where_); RETURN value; END $f$;

CREATE DOMAIN app.checked AS integer DEFAULT app.spied(1, 'the default of a domain') CHECK (app.spy('the check of a domain'));
CREATE TYPE app.pair AS (a integer, b app.checked);
CREATE FUNCTION app.to_text(app.pair) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $f$
BEGIN PERFORM app.spy('a cast'); RETURN 'pair'; END $f$;
CREATE CAST (app.pair AS text) WITH FUNCTION app.to_text(app.pair) AS ASSIGNMENT;
CREATE FUNCTION app.difference(integer, integer) RETURNS double precision LANGUAGE plpgsql IMMUTABLE AS $f$
BEGIN PERFORM app.spy('the difference of a range'); RETURN $1 - $2; END $f$;
CREATE TYPE app.span AS RANGE (subtype = integer, subtype_diff = app.difference);
CREATE FUNCTION app.step(integer, integer) RETURNS integer LANGUAGE plpgsql IMMUTABLE AS $f$
BEGIN PERFORM app.spy('an aggregate'); RETURN $1 + $2; END $f$;
CREATE AGGREGATE app.total(integer) (SFUNC = app.step, STYPE = integer, INITCOND = '0');

CREATE TABLE app.t (
  id integer PRIMARY KEY DEFAULT app.spied(1, 'a default') CHECK (app.spy('a check')),
  name text,
  checked app.checked,
  pair app.pair,
  span app.span,
  doubled integer GENERATED ALWAYS AS (app.spied(id, 'a generated column') * 2) STORED
);
CREATE TABLE app.parts (a integer) PARTITION BY RANGE (app.spied(a, 'a partition key'));
CREATE TABLE app.part PARTITION OF app.parts FOR VALUES FROM (0) TO (1000);
INSERT INTO app.t (id, name, checked, pair, span)
  SELECT n, 'name ' || n, n, ROW(n, n)::app.pair, app.span(n, n + 5) FROM generate_series(1, 200) AS n;
INSERT INTO app.parts SELECT n FROM generate_series(1, 50) AS n;
CREATE INDEX ON app.t (app.spied(id, 'an index'));
CREATE INDEX partial ON app.t (name) WHERE app.spy('the condition of an index');
CREATE INDEX ON app.t USING gist (span);
CREATE STATISTICS app.s ON (app.spied(id, 'statistics')), name FROM app.t;
CREATE VIEW app.v AS SELECT app.total(id) AS total FROM app.t WHERE app.spy('a view');
CREATE MATERIALIZED VIEW app.m AS SELECT id FROM app.t WHERE app.spied(id, 'a materialized view') > 0;
CREATE UNIQUE INDEX ON app.m (id);

CREATE FUNCTION app.triggered() RETURNS trigger LANGUAGE plpgsql AS $f$
BEGIN PERFORM app.spy('a trigger'); RETURN NEW; END $f$;
CREATE TRIGGER before BEFORE INSERT OR UPDATE ON app.t FOR EACH ROW EXECUTE FUNCTION app.triggered();
CREATE CONSTRAINT TRIGGER after AFTER INSERT OR UPDATE ON app.t DEFERRABLE INITIALLY DEFERRED
  FOR EACH ROW EXECUTE FUNCTION app.triggered();
ALTER TABLE app.t ENABLE ALWAYS TRIGGER before;
CREATE RULE also AS ON UPDATE TO app.parts DO ALSO SELECT app.spy('a rule');
ALTER TABLE app.t ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.t FORCE ROW LEVEL SECURITY;
CREATE POLICY everybody ON app.t USING (app.spy('a policy')) WITH CHECK (app.spy('a policy'));

CREATE TABLE public.customers (id integer PRIMARY KEY, email text);
INSERT INTO public.customers VALUES (1, 'a@example.com'), (2, 'b@example.com');
CREATE TRIGGER masked BEFORE UPDATE ON public.customers FOR EACH ROW EXECUTE FUNCTION app.triggered();
-- What the server's own functions and operators are called.
CREATE FUNCTION app.md5(text) RETURNS text LANGUAGE plpgsql AS $f$
BEGIN PERFORM app.spy('md5'); RETURN 'x'; END $f$;
CREATE FUNCTION app.count(anyelement) RETURNS bigint LANGUAGE plpgsql AS $f$
BEGIN PERFORM app.spy('count'); RETURN 0; END $f$;
CREATE FUNCTION app.format(text, text, text) RETURNS text LANGUAGE plpgsql AS $f$
BEGIN PERFORM app.spy('format'); RETURN $1; END $f$;
CREATE FUNCTION app.differs(name, name) RETURNS boolean LANGUAGE plpgsql AS $f$
BEGIN PERFORM app.spy('an operator'); RETURN $1 OPERATOR(pg_catalog.<>) $2; END $f$;
CREATE OPERATOR app.<> (LEFTARG = name, RIGHTARG = name, FUNCTION = app.differs);
CREATE FUNCTION app.equals(name, name) RETURNS boolean LANGUAGE plpgsql AS $f$
BEGIN PERFORM app.spy('an operator'); RETURN $1 OPERATOR(pg_catalog.=) $2; END $f$;
CREATE OPERATOR app.= (LEFTARG = name, RIGHTARG = name, FUNCTION = app.equals);
