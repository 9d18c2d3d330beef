//! What migrations and statements keep to.

use sqlx::PgPool;

use super::sources::Source;
use super::tokens::{Token, tokens};

/// Words by which SQL tells the time. `now` does so only where it is called.
const CLOCKS: [&str; 9] = [
    "now",
    "clock_timestamp",
    "current_timestamp",
    "statement_timestamp",
    "transaction_timestamp",
    "current_date",
    "current_time",
    "localtimestamp",
    "localtime",
];

/// What makes a constraint.
const CONSTRAINTS: [&str; 6] = [
    "primary key",
    "foreign key",
    "references",
    "unique",
    "check",
    "exclude",
];

/// A constraint or index as the database knows it.
#[derive(sqlx::FromRow)]
pub(super) struct Named {
    pub(super) table: String,
    pub(super) name: String,
    /// `pkey`, `key`, `fkey`, `check`, `excl` or `idx`.
    pub(super) kind: String,
    /// Those it is about, joined by `_`; of an index over an expression, the expression.
    pub(super) columns: String,
}

/// How often a file's statements tell the time.
pub(super) fn clocks_in_statements(source: &Source) -> usize {
    let found = tokens(&source.text).into_iter().map(|token| match token {
        Token::Text(statement) => clocks(statement),
        _ => 0,
    });
    found.sum()
}

/// How often a migration or a statement tells the time.
pub(super) fn clocks(sql: &str) -> usize {
    let sql = without_comments(sql);
    let found = CLOCKS.iter().flat_map(|clock| sql.match_indices(clock));
    let is_clock = |(at, clock): &(usize, &str)| {
        let (before, after) = (&sql[..*at], &sql[at + clock.len()..]);
        let alone = !before.ends_with(is_of_word) && !after.starts_with(is_of_word);
        alone && (*clock != "now" || after.trim_start().starts_with('('))
    };
    found.filter(is_clock).count()
}

/// A migration begins by saying how long it may wait for a lock: behind one that waits, every query does. Without a
/// transaction there can be no more than one statement, because the driver sends the file as a whole, of which
/// PostgreSQL would make a transaction again; so it has to be of the kind that nobody waits behind.
pub(super) fn patient(migration: &Source) -> Option<String> {
    const BEGINNING: &str = "set local lock_timeout = '";
    let Source { path, text } = migration;
    let sql = without_comments(text);
    if text.starts_with("-- no-transaction") {
        let one = !sql.trim().trim_end_matches(';').contains(';');
        let fits = one && sql.contains(" concurrently ");
        return (!fits).then(|| format!("{path}: only one statement, and `concurrently`"));
    }
    let begins = sql.trim_start().starts_with(BEGINNING);
    (!begins).then(|| format!("{path}: begin with {BEGINNING}…'"))
}

/// Lines of a migration that make a constraint or an index without naming it.
pub(super) fn unnamed(migration: &Source) -> Vec<String> {
    let sql = without_comments(&migration.text);
    let lines = sql
        .lines()
        .map(str::trim)
        .filter(|line| makes_unnamed(line));
    lines
        .map(|line| format!("{}: name it, on the same line: {line}", migration.path))
        .collect()
}

fn makes_unnamed(line: &str) -> bool {
    let padded = format!(" {} ", line.replace(|letter| !is_of_word(letter), " "));
    let has = |words: &str| padded.contains(&format!(" {words} "));
    if has("index") {
        return has("create") && (has("index on") || has("concurrently on"));
    }
    !has("constraint") && CONSTRAINTS.iter().any(|words| has(words))
}

/// `<table>_<columns>_<kind>`; a table has one primary key, whose name is without columns. A foreign key and an index
/// name each of their columns, a check or a unique key the words that matter.
pub(super) fn misnamed(named: &Named) -> Option<String> {
    let Named {
        table,
        name,
        kind,
        columns,
    } = named;
    let (beginning, ending) = (format!("{table}_"), format!("_{kind}"));
    let middle = name
        .strip_prefix(&beginning)
        .and_then(|rest| rest.strip_suffix(&ending));
    let exact = matches!(kind.as_str(), "fkey" | "idx") && columns.chars().all(is_of_word);
    let fits = match middle {
        _ if kind == "pkey" => *name == format!("{table}_pkey"),
        Some(middle) if exact => middle == columns,
        Some(middle) => middle
            .split('_')
            .all(|word| !word.is_empty() && columns.contains(word)),
        None => false,
    };
    (!fits).then(|| format!("{name} of {table} ({columns}): name it <table>_<columns>_{kind}"))
}

/// Every constraint and index of the schema.
pub(super) async fn named(database: &PgPool) -> Vec<Named> {
    let statement = "
        select t.relname as table, c.conname as name,
            case c.contype when 'p' then 'pkey' when 'u' then 'key' when 'f' then 'fkey' when 'c' then 'check'
                else 'excl' end as kind,
            coalesce((
                select string_agg(a.attname, '_' order by k.place)
                from unnest(c.conkey) with ordinality k (number, place)
                join pg_attribute a on a.attrelid = t.oid and a.attnum = k.number
            ), '') as columns
        from pg_constraint c join pg_class t on t.oid = c.conrelid
        where t.relnamespace = 'public'::regnamespace and c.contype in ('p', 'u', 'f', 'c', 'x')
        union all
        select t.relname, i.relname, 'idx', (
            select string_agg(pg_get_indexdef(i.oid, place, true), '_' order by place)
            from generate_series(1, x.indnkeyatts) place
        )
        from pg_index x join pg_class i on i.oid = x.indexrelid join pg_class t on t.oid = x.indrelid
        where t.relnamespace = 'public'::regnamespace
            and not exists (select from pg_constraint c where c.conindid = i.oid and c.conrelid = t.oid)";
    sqlx::query_as(statement).fetch_all(database).await.unwrap()
}

/// In lower case, for SQL makes no difference.
fn without_comments(sql: &str) -> String {
    let lines = sql
        .lines()
        .map(|line| line.split("--").next().unwrap_or_default());
    lines.collect::<Vec<_>>().join("\n").to_ascii_lowercase()
}

fn is_of_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

/// Statements that are not called after their method, as `sessions.open` is: by that they are found in a trace.
pub(super) fn misnamed_statements(source: &Source) -> Vec<String> {
    let path = source.path.trim_start_matches("src/repositories/");
    let family = path.split(['/', '.']).next().unwrap_or_default();
    let mut method = "";
    let mut faults = Vec::new();
    for line in source.text.lines() {
        if let Some((_, after)) = line.split_once("fn ") {
            method = after.split(['(', '<']).next().unwrap_or_default();
        }
        let Some((_, after)) = line.split_once(".statement(\"") else {
            continue;
        };
        let name = after.split('"').next().unwrap_or_default();
        if name != format!("{family}.{method}") {
            let path = &source.path;
            faults.push(format!("{path}: {name} is {family}.{method}"));
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sql_that_tells_the_time_is_found() {
        assert_eq!(
            clocks("update a set b = NOW(), c = now (), d = current_timestamp"),
            3
        );
        assert_eq!(clocks("select clock_timestamp() as \"now!\" -- now()"), 1);
        assert_eq!(
            clocks("select now, known(), nowhere(), created_at at time zone 'utc'"),
            0
        );
        let source = |text| clocks_in_statements(&Source::new("src/repositories/a.rs", text));
        assert_eq!(
            source("let now = Instant::now(); query!(\"select 1\"); // now()"),
            0
        );
        assert_eq!(
            source("query!(\"select now()\" + r#\"where a < localtimestamp\"#)"),
            2
        );
    }

    #[test]
    fn a_migration_that_waits_for_ever_is_found() {
        let fault = |text| patient(&Source::new("migrations/0009_a.sql", text)).is_some();
        assert!(!fault(
            "-- A.\nset local lock_timeout = '2s';\ncreate table a ();"
        ));
        assert!(fault("create table a ();\nset local lock_timeout = '2s';"));
        assert!(fault(
            "-- set local lock_timeout = '2s';\ncreate table a ();"
        ));
        assert!(fault("set local lock_timeout = 0;"));
    }

    #[test]
    fn a_migration_that_cannot_do_without_a_transaction_is_found() {
        let fault = |sql| {
            let text = format!("-- no-transaction\n{sql}");
            patient(&Source::new("migrations/0009_a.sql", &text)).is_some()
        };
        assert!(!fault(
            "-- Why.\ncreate index concurrently a_b_idx on a (b);\n"
        ));
        assert!(fault("create index a_b_idx on a (b);"));
        assert!(fault(
            "set lock_timeout = '2s'; create index concurrently a_b_idx on a (b);"
        ));
    }

    #[test]
    fn constraints_and_indexes_without_a_name_are_found() {
        let faults = |text| unnamed(&Source::new("migrations/0009_a.sql", text)).len();
        for line in [
            "a uuid primary key,",
            "a uuid REFERENCES b (c),",
            "unique (a, b)",
            "a int check (a > 0)",
            "foreign key (a) references b (c)",
            "create index on a (b);",
            "create unique index concurrently on a (b);",
        ] {
            assert_eq!(faults(line), 1, "{line}");
        }
        for line in [
            "constraint a_pkey primary key (id),",
            "constraint a_b_check check (",
            "create index a_b_idx on a (b);",
            "alter table a drop constraint a_b_check;",
            "a text not null, -- unique",
            "drop index a_b_idx;",
        ] {
            assert_eq!(faults(line), 0, "{line}");
        }
    }

    #[test]
    fn names_that_do_not_say_what_they_name_are_found() {
        let fault = |name: &str, kind: &str, columns: &str| {
            let [table, name, kind, columns] = ["a_b", name, kind, columns].map(str::to_owned);
            misnamed(&Named {
                table,
                name,
                kind,
                columns,
            })
            .is_some()
        };
        for (name, kind, columns) in [
            ("a_b_pkey", "pkey", "id"),
            ("a_b_user_id_id_idx", "idx", "user_id_id"),
            ("a_b_email_key", "key", "email_canonical"),
            ("a_b_ended_check", "check", "ended_at_end_reason"),
            ("a_b_lower_email_idx", "idx", "lower(email)"),
        ] {
            assert!(!fault(name, kind, columns), "{name}");
        }
        for (name, kind, columns) in [
            ("a_b_id_pkey", "pkey", "id"),
            ("a_b_user_id_idx", "idx", "user_id_id"),
            ("a_b_email_key", "key", "username"),
            ("a_b_check", "check", "id"),
            ("a_b__check", "check", "id"),
            ("a_b_ended_check1", "check", "ended_at"),
            ("b_id_fkey", "fkey", "id"),
            ("a_b_id_idx", "fkey", "id"),
        ] {
            assert!(fault(name, kind, columns), "{name}");
        }
    }

    #[test]
    fn a_statement_with_the_name_of_another_is_found() {
        let text = "async fn open<T>(\n) {\n.statement(\"a.open\") }\nfn end() { x.statement(\"a.open\") }";
        for path in ["src/repositories/a.rs", "src/repositories/a/of_user.rs"] {
            let faults = misnamed_statements(&Source::new(path, text));
            assert_eq!(faults, [format!("{path}: a.open is a.end")]);
        }
    }
}
