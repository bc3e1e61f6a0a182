-- What only a superuser may make, and on which nothing else in the database depends.
CREATE SCHEMA super; SET search_path = super, public;
CREATE TYPE label; CREATE FUNCTION label_in(cstring) RETURNS label LANGUAGE internal IMMUTABLE STRICT AS 'textin';
CREATE FUNCTION label_out(label) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'textout';
CREATE TYPE label (INPUT = label_in, OUTPUT = label_out, INTERNALLENGTH = VARIABLE, LIKE = text);
CREATE FUNCTION as_flag(bigint) RETURNS boolean LANGUAGE sql IMMUTABLE LEAKPROOF AS 'SELECT $1 <> 0';
CREATE CAST (bigint AS boolean) WITH FUNCTION as_flag(bigint) AS ASSIGNMENT;
CREATE FUNCTION numbered(anyelement, integer DEFAULT 1) RETURNS anyelement LANGUAGE internal WINDOW IMMUTABLE STRICT AS 'window_nth_value';
CREATE OPERATOR FAMILY backwards USING btree; CREATE OPERATOR CLASS backwards FOR TYPE integer USING btree FAMILY backwards AS
  OPERATOR 1 >, OPERATOR 2 >=, OPERATOR 3 =, OPERATOR 4 <=, OPERATOR 5 <, FUNCTION 1 btint4cmp(integer, integer);
CREATE AGGREGATE ranked(VARIADIC "any" ORDER BY VARIADIC "any") (SFUNC = ordered_set_transition_multi, STYPE = internal,
  FINALFUNC = rank_final, FINALFUNC_EXTRA, HYPOTHETICAL);
CREATE ACCESS METHOD heap_too TYPE TABLE HANDLER heap_tableam_handler; CREATE TEXT SEARCH TEMPLATE same (LEXIZE = dsimple_lexize);
CREATE TEXT SEARCH PARSER parts (START = prsd_start, GETTOKEN = prsd_nexttoken, END = prsd_end, LEXTYPES = prsd_lextype);
CREATE FOREIGN DATA WRAPPER nothing; CREATE LANGUAGE own HANDLER plpgsql_call_handler INLINE plpgsql_inline_handler;
CREATE FUNCTION seen() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN NULL; END $$;
CREATE EVENT TRIGGER seen ON ddl_command_end WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION seen();
CREATE PUBLICATION some_of_it FOR TABLE public.nulls; CREATE PUBLICATION everything FOR ALL TABLES;
CREATE SUBSCRIPTION none CONNECTION 'host=127.0.0.1 port=1' PUBLICATION some_of_it WITH (connect = false);
COMMENT ON CAST (bigint AS boolean) IS 'a cast'; COMMENT ON TYPE label IS 'a type';
