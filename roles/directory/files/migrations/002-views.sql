-- The only things that Postfix and Dovecot read. Each is looked up by its first column with an index behind it.

CREATE VIEW mail.active_domains AS
SELECT name FROM mail.domains WHERE enabled;

CREATE VIEW mail.active_accounts AS
SELECT a.address, a.quota_bytes, s.name AS seat_name, s.address AS seat_address, s.host AS seat_host
FROM mail.accounts a
JOIN mail.domains d ON d.name = a.domain AND d.enabled
JOIN mail.seats s ON s.name = a.seat
WHERE a.enabled;

CREATE VIEW mail.logins AS
SELECT a.address AS username, a.password, s.name AS seat_name, s.address AS seat_address
FROM mail.accounts a
JOIN mail.domains d ON d.name = a.domain AND d.enabled
JOIN mail.seats s ON s.name = a.seat
WHERE a.enabled;

-- Accounts lead to themselves even when disabled: otherwise the catch-all would take the mail of a disabled account,
-- which has to be refused as unknown instead.
CREATE VIEW mail.routes AS
SELECT l.address, t.destination
FROM mail.aliases l
JOIN mail.domains d ON d.name = l.domain AND d.enabled
JOIN mail.alias_destinations t ON t.alias = l.address
UNION ALL
SELECT a.address, a.address
FROM mail.accounts a
JOIN mail.domains d ON d.name = a.domain AND d.enabled
UNION ALL
SELECT '@' || name, catch_all
FROM mail.domains
WHERE enabled AND catch_all IS NOT NULL;
CREATE INDEX ON mail.domains (('@' || name)) WHERE enabled AND catch_all IS NOT NULL;

-- An account may send as itself and as every alias that leads to it, also over further aliases. The walk starts from one
-- alias at a time, so that a lookup of one sender costs one walk; UNION stops it at a loop.
CREATE VIEW mail.sender_logins AS
SELECT address AS sender, address AS login
FROM mail.active_accounts
UNION ALL
SELECT l.address, a.address
FROM mail.aliases l
JOIN mail.domains d ON d.name = l.domain AND d.enabled
CROSS JOIN LATERAL (
    WITH RECURSIVE reached (address) AS (
        SELECT l.address
        UNION
        -- anna+lists@ is delivered to anna@
        SELECT regexp_replace(t.destination, '^([^+@]+)\+[^@]*@', '\1@')
        FROM reached r
        JOIN mail.alias_destinations t ON t.alias = r.address
    )
    SELECT address FROM reached
) w
JOIN mail.active_accounts a ON a.address = w.address;

GRANT SELECT ON mail.active_domains, mail.active_accounts, mail.logins, mail.routes, mail.sender_logins TO mail_reader, mail_writer;
