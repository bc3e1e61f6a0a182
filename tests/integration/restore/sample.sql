-- A database that has something of everything, with names that need quoting. :app is the application's role.
CREATE ROLE "Read ""only"" role" NOLOGIN;
CREATE ROLE reporting NOLOGIN;
GRANT "Read ""only"" role" TO reporting;
ALTER ROLE reporting SET work_mem = '8MB';
CREATE EXTENSION pg_trgm;
CREATE SCHEMA "Odd schema; DROP TABLE x" AUTHORIZATION :"app";
CREATE EXTENSION hstore SCHEMA "Odd schema; DROP TABLE x";
CREATE SCHEMA accounts AUTHORIZATION reporting;
GRANT USAGE ON SCHEMA accounts TO :"app";
COMMENT ON SCHEMA accounts IS 'It''s the accounts'' schema; -- not a comment';
SET ROLE :"app";
CREATE TYPE public.mood AS ENUM ('sad', 'it''s "fine"', 'happy');
CREATE DOMAIN public.email AS text CHECK (VALUE LIKE '%@%');
CREATE TYPE public.pair AS (a integer, b text);
CREATE FUNCTION public.twice(n integer) RETURNS integer LANGUAGE plpgsql IMMUTABLE AS $body$
BEGIN -- '; \! not a command
  RETURN 2 * n; END $body$;
CREATE FUNCTION public.added(a integer, b integer) RETURNS integer LANGUAGE sql BEGIN ATOMIC SELECT a + b; END;
CREATE PROCEDURE public.nothing() LANGUAGE plpgsql AS $$ BEGIN NULL; END $$;
CREATE AGGREGATE public.total(integer) (SFUNC = public.added, STYPE = integer, INITCOND = '0');
CREATE TABLE public."Order ""lines""" (
  id integer GENERATED ALWAYS AS IDENTITY (START 7) PRIMARY KEY, "select" text NOT NULL DEFAULT E'tab\t\\ and ''quote''',
  mood public.mood, mail public.email, pair public.pair, doubled integer GENERATED ALWAYS AS (public.twice(3)) STORED,
  raw bytea, tags text[], doc jsonb, at timestamptz DEFAULT '2026-01-01Z', CHECK (id > 0));
INSERT INTO public."Order ""lines""" ("select", mood, mail, pair, raw, tags, doc) SELECT E'row\r\n' || n || E'\t\\.\n\\restrict x',
  'it''s "fine"'::public.mood, n || '@example.com', ROW(n, 'ü€😀')::public.pair, decode('00ff5c', 'hex'), ARRAY['a,b', NULL, '"'], '{"a": "\\"}'
  FROM generate_series(1, 500) AS n;
CREATE INDEX "by mail" ON public."Order ""lines""" (lower(mail)) WHERE id > 3;
CREATE INDEX ON public."Order ""lines""" USING gin ("select" public.gin_trgm_ops);
CREATE STATISTICS public.related ON id, mood FROM public."Order ""lines""";
CREATE SEQUENCE public.counter START 100 INCREMENT 10;
SELECT nextval('public.counter'), nextval('public.counter');
CREATE TABLE public.measured (at date NOT NULL, value numeric) PARTITION BY RANGE (at);
CREATE TABLE public.measured_2025 PARTITION OF public.measured FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE public.measured_rest PARTITION OF public.measured DEFAULT;
INSERT INTO public.measured SELECT '2025-06-01'::date + n, n / 3.0 FROM generate_series(1, 400) AS n;
CREATE TABLE public.parents (id integer PRIMARY KEY);
CREATE TABLE public.children (parent integer REFERENCES public.parents DEFERRABLE INITIALLY DEFERRED);
INSERT INTO public.parents SELECT generate_series(1, 50);
INSERT INTO public.children SELECT generate_series(1, 50);
CREATE VIEW public.happy AS SELECT id FROM public."Order ""lines""" WHERE mood = 'happy';
CREATE MATERIALIZED VIEW public.per_year AS SELECT extract(year FROM at) AS year, count(*) FROM public.measured GROUP BY 1;
CREATE RULE quiet AS ON DELETE TO public.parents DO INSTEAD NOTHING;
CREATE FUNCTION public.touched() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.at := now(); RETURN NEW; END $$;
CREATE TRIGGER "touch; it" BEFORE UPDATE ON public."Order ""lines""" FOR EACH ROW EXECUTE FUNCTION public.touched();
CREATE TABLE public.secrets (owner text, words text);
INSERT INTO public.secrets VALUES (current_user, 'mine');
ALTER TABLE public.secrets ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.secrets FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON public.secrets TO :"app", "Read ""only"" role" USING (owner = current_user);
GRANT SELECT, UPDATE (words) ON public.secrets TO "Read ""only"" role" WITH GRANT OPTION;
GRANT EXECUTE ON FUNCTION public.twice TO reporting;
REVOKE EXECUTE ON FUNCTION public.twice FROM PUBLIC;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO reporting;
COMMENT ON TABLE public."Order ""lines""" IS E'several\nlines; \\ and ''quotes''';
COMMENT ON COLUMN public."Order ""lines"""."select" IS 'a word of SQL';
SELECT lo_from_bytea(4711, decode('000102ff', 'hex'));
COMMENT ON LARGE OBJECT 4711 IS 'large';
CREATE TEXT SEARCH CONFIGURATION public.plain (COPY = simple);
CREATE COLLATION public.german (provider = icu, locale = 'de');
CREATE TABLE "Odd schema; DROP TABLE x"."$(touch /tmp/x)" ("`id`" "Odd schema; DROP TABLE x".hstore);
INSERT INTO "Odd schema; DROP TABLE x"."$(touch /tmp/x)" VALUES ('a=>1');
CREATE OPERATOR public.=== (LEFTARG = integer, RIGHTARG = integer, FUNCTION = public.added);
SET ROLE reporting;
CREATE TABLE accounts.books (id bigserial PRIMARY KEY, total numeric(12, 2));
INSERT INTO accounts.books (total) SELECT n FROM generate_series(1, 100) AS n;
GRANT SELECT ON accounts.books TO :"app";
GRANT USAGE ON SEQUENCE accounts.books_id_seq TO :"app";
RESET ROLE;
CREATE PUBLICATION changes FOR TABLE public.parents;
ALTER DATABASE :"database" SET search_path = public, "Odd schema; DROP TABLE x";
ALTER DATABASE :"database" SET work_mem = '5MB';
ALTER DATABASE :"database" SET app.greeting = 'it''s, "quoted"';
ALTER ROLE :"app" IN DATABASE :"database" SET statement_timeout = '1h';
ALTER DATABASE :"database" CONNECTION LIMIT 50;
GRANT CONNECT ON DATABASE :"database" TO reporting;
COMMENT ON DATABASE :"database" IS 'The sample''s';
