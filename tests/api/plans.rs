//! Every statement finds its rows by an index, however many others there are. What the planner would do for few rows says
//! nothing about that, so here it may read a whole table only where it knows no other way.

use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use crate::support::TestApp;

/// Tables that stay small, whoever uses the service.
const SMALL: &[&str] = &["keys", "event_retention", "_sqlx_migrations"];

/// The statements of the service that have a plan, as they are prepared when it is built.
fn statements() -> Vec<String> {
    let prepared = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.sqlx")).unwrap();
    let statement = |file: std::fs::DirEntry| {
        let text = std::fs::read_to_string(file.path()).unwrap();
        let prepared: Value = serde_json::from_str(&text).unwrap();
        prepared["query"].as_str().unwrap().to_owned()
    };
    let statements = prepared.map(|file| statement(file.unwrap()));
    statements
        .filter(|statement| !statement.starts_with("lock table"))
        .collect()
}

/// The plan for any parameters, by who avoids to read whole tables.
async fn plan(database: &mut PgConnection, statement: &str) -> Value {
    let run = async |database: &mut PgConnection, sql: String| {
        let done = sqlx::raw_sql(AssertSqlSafe(sql)).execute(database).await;
        done.unwrap_or_else(|error| panic!("{error}\n{statement}"));
    };
    run(database, format!("prepare planned as {statement}")).await;
    let parameters: i32 = sqlx::query_scalar(
        "select cardinality(parameter_types) from pg_prepared_statements where name = 'planned'",
    )
    .fetch_one(&mut *database)
    .await
    .unwrap();
    let nulls = vec!["null"; usize::try_from(parameters).unwrap()].join(", ");
    let nulls = if nulls.is_empty() {
        nulls
    } else {
        format!("({nulls})")
    };
    let explain = format!("explain (format json) execute planned{nulls}");
    let plan: Value = sqlx::query_scalar(AssertSqlSafe(explain))
        .fetch_one(&mut *database)
        .await
        .unwrap_or_else(|error| panic!("{error}\n{statement}"));
    run(database, "deallocate planned".to_owned()).await;
    plan
}

/// The tables that a plan reads from end to end.
fn read_whole(plan: &Value, found: &mut Vec<String>) {
    match plan {
        Value::Array(parts) => parts.iter().for_each(|part| read_whole(part, found)),
        Value::Object(members) => {
            let node = plan["Node Type"].as_str().unwrap_or_default();
            let by_index = node.contains("Index") && plan["Index Cond"].is_string();
            if node == "Seq Scan" || (node.contains("Index") && !by_index) {
                let table = plan["Relation Name"]
                    .as_str()
                    .or(plan["Index Name"].as_str());
                found.push(table.unwrap_or(node).to_owned());
            }
            members
                .values()
                .for_each(|member| read_whole(member, found));
        }
        _ => {}
    }
}

async fn planner(app: &TestApp) -> PgConnection {
    let mut database = PgConnection::connect(app.database_url()).await.unwrap();
    let careful = "set plan_cache_mode = force_generic_plan; set enable_seqscan = off";
    sqlx::raw_sql(careful).execute(&mut database).await.unwrap();
    database
}

async fn whole_tables(database: &mut PgConnection, statement: &str) -> Vec<String> {
    let mut found = Vec::new();
    read_whole(&plan(database, statement).await, &mut found);
    found.retain(|table| !SMALL.contains(&table.as_str()));
    found
}

#[actix_web::test]
async fn no_statement_reads_a_whole_table_that_grows() {
    let app = TestApp::start().await;
    let mut database = planner(&app).await;
    let statements = statements();
    assert!(statements.len() > 60, "where are they?");
    for statement in &statements {
        let found = whole_tables(&mut database, statement).await;
        assert_eq!(found, [""; 0], "{statement}");
    }
}

#[actix_web::test]
async fn a_statement_that_reads_a_whole_table_is_found() {
    let app = TestApp::start().await;
    let mut database = planner(&app).await;
    for slow in [
        "select id from users where display_name = $1",
        "update sessions set seen = true where seen",
        "select email from users u where exists (select from sessions where user_agent = u.locale)",
    ] {
        assert_ne!(whole_tables(&mut database, slow).await, [""; 0], "{slow}");
    }
}
