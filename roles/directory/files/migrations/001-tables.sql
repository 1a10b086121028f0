-- The tables. Nobody but the writer reads or changes them; readers use the views of 002.
-- The rules about shapes are the same as in the collection's module_utils/addresses.py: whoever writes by hand is held to them too.

CREATE FUNCTION mail.is_domain(value text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN length(value) <= 253
   AND value ~ '^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$'
   AND value !~ '\.[0-9]+$';

CREATE FUNCTION mail.is_local_part(value text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN length(value) <= 64 AND value ~ '^[a-z0-9_-]+(\.[a-z0-9_-]+)*$';

-- Where mail may be sent on to: anywhere, with a subaddress if wanted (dot-string of RFC 5321).
CREATE FUNCTION mail.is_destination(value text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN length(split_part(value, '@', 1)) <= 64
   AND value ~ '^[a-z0-9!#$%&''*+/=?^_`{|}~-]+(\.[a-z0-9!#$%&''*+/=?^_`{|}~-]+)*@[^@]+$'
   AND mail.is_domain(split_part(value, '@', 2));

-- Internal addresses, each held by one mailserver at a time, to which users are bound. Addresses are compared at commit,
-- so that two seats can swap theirs.
CREATE TABLE mail.seats (
    name    text PRIMARY KEY CHECK (name ~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$'),
    address text NOT NULL UNIQUE DEFERRABLE INITIALLY DEFERRED CHECK (address = host(address::inet)),
    host    text NOT NULL UNIQUE DEFERRABLE INITIALLY DEFERRED CHECK (mail.is_domain(host))
);

CREATE TABLE mail.domains (
    name      text PRIMARY KEY CHECK (mail.is_domain(name)),
    catch_all text CHECK (mail.is_destination(catch_all)),
    enabled   boolean NOT NULL DEFAULT true
);

CREATE TABLE mail.accounts (
    address     text PRIMARY KEY CHECK (mail.is_local_part(split_part(address, '@', 1))),
    domain      text GENERATED ALWAYS AS (split_part(address, '@', 2)) STORED NOT NULL REFERENCES mail.domains (name),
    password    text NOT NULL CHECK (password ~ '^\{[A-Z0-9-]+\}[^[:space:]]+$'),
    quota_bytes bigint NOT NULL DEFAULT 0 CHECK (quota_bytes >= 0),  -- 0: no limit
    seat        text NOT NULL REFERENCES mail.seats (name) ON UPDATE CASCADE,
    enabled     boolean NOT NULL DEFAULT true,
    CONSTRAINT accounts_one_at CHECK (address = split_part(address, '@', 1) || '@' || split_part(address, '@', 2))
);
CREATE INDEX ON mail.accounts (domain);
CREATE INDEX ON mail.accounts (seat);

CREATE TABLE mail.aliases (
    address text PRIMARY KEY CHECK (mail.is_local_part(split_part(address, '@', 1))),
    domain  text GENERATED ALWAYS AS (split_part(address, '@', 2)) STORED NOT NULL REFERENCES mail.domains (name),
    CONSTRAINT aliases_one_at CHECK (address = split_part(address, '@', 1) || '@' || split_part(address, '@', 2))
);
CREATE INDEX ON mail.aliases (domain);

CREATE TABLE mail.alias_destinations (
    alias       text NOT NULL REFERENCES mail.aliases (address) ON DELETE CASCADE ON UPDATE CASCADE,
    destination text NOT NULL CHECK (mail.is_destination(destination)) CHECK (destination <> alias),
    PRIMARY KEY (alias, destination)
);

-- An alias with the address of an account would take its mail away. Both sides take the same lock, so that two
-- transactions at once cannot each miss the other's row.
CREATE FUNCTION mail.refuse_shadowing() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended(NEW.address, 0));
    IF TG_TABLE_NAME = 'aliases' AND EXISTS (SELECT FROM mail.accounts WHERE address = NEW.address) THEN
        RAISE unique_violation USING MESSAGE = format('%s is an account already and cannot be an alias as well', NEW.address);
    ELSIF TG_TABLE_NAME = 'accounts' AND EXISTS (SELECT FROM mail.aliases WHERE address = NEW.address) THEN
        RAISE unique_violation USING MESSAGE = format('%s is an alias already and cannot be an account as well', NEW.address);
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER refuse_shadowing BEFORE INSERT OR UPDATE OF address ON mail.accounts
    FOR EACH ROW EXECUTE FUNCTION mail.refuse_shadowing();
CREATE TRIGGER refuse_shadowing BEFORE INSERT OR UPDATE OF address ON mail.aliases
    FOR EACH ROW EXECUTE FUNCTION mail.refuse_shadowing();

REVOKE CONNECT, TEMPORARY ON DATABASE mail FROM PUBLIC;
GRANT CONNECT ON DATABASE mail TO mail_reader, mail_writer;
GRANT USAGE ON SCHEMA mail TO mail_reader, mail_writer;
GRANT SELECT ON mail.schema_migrations, mail.seats TO mail_writer;
GRANT SELECT, INSERT, UPDATE, DELETE ON mail.domains, mail.accounts, mail.aliases, mail.alias_destinations TO mail_writer;
