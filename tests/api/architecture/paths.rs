//! The paths by which a file names modules of ours, whether they begin with `crate` or with `super`. Judges nothing.

use super::sources::Source;
use super::tokens::{Token, tokens};

/// Every path in the file that begins with `crate` or leads there by `super`, without its beginning.
pub(super) fn paths(source: &Source) -> Vec<String> {
    let tokens = tokens(&source.text);
    let mut module = module(&source.path);
    let (mut found, mut braces, mut at) = (Vec::new(), Vec::new(), 0);
    while let Some(token) = tokens.get(at) {
        match (token, tokens.get(at + 1), tokens.get(at + 2)) {
            (Token::Word("mod"), Some(Token::Word(name)), Some(Token::Mark('{'))) => {
                module.push(name);
                braces.push(true);
                at += 2;
            }
            (Token::Mark('{'), ..) => braces.push(false),
            (Token::Mark('}'), ..) if braces.pop() == Some(true) => {
                module.pop();
            }
            (Token::Word("crate" | "keyward" | "super"), ..) if is_colons(&tokens, at + 1) => {
                at = read_path(&tokens, at, module.clone(), &mut found);
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    found
}

/// Where the file is among the modules: `http`, `handlers`, `login`.
fn module(path: &str) -> Vec<&str> {
    let inside = path.strip_prefix("src/").unwrap_or(path);
    let inside = inside.strip_suffix(".rs").unwrap_or(inside);
    inside
        .split('/')
        .filter(|name| !matches!(*name, "mod" | "lib" | "main"))
        .collect()
}

/// Reads a path, or all those of a group, from a module on. Gives the place after it.
fn read_path<'t>(
    tokens: &[Token<'t>],
    mut at: usize,
    mut path: Vec<&'t str>,
    found: &mut Vec<String>,
) -> usize {
    loop {
        match tokens.get(at) {
            Some(Token::Word("crate" | "keyward")) => path.clear(),
            Some(Token::Word("super")) => {
                path.pop();
            }
            Some(Token::Word("self")) => {}
            Some(Token::Word(name)) => path.push(name),
            Some(Token::Mark('{')) => return read_group(tokens, at + 1, &path, found),
            _ => break,
        }
        at += 1;
        if !is_colons(tokens, at) {
            break;
        }
        at += 2;
    }
    found.push(path.join("::"));
    at
}

fn read_group<'t>(
    tokens: &[Token<'t>],
    mut at: usize,
    path: &[&'t str],
    found: &mut Vec<String>,
) -> usize {
    loop {
        match tokens.get(at) {
            None | Some(Token::Mark('}')) => return at + 1,
            // Another name for the entry, which is not a path.
            Some(Token::Word("as")) => at += 2,
            Some(Token::Mark(_) | Token::Text(_)) => at += 1,
            Some(Token::Word(_)) => at = read_path(tokens, at, path.to_vec(), found),
        }
    }
}

pub(super) fn is_colons(tokens: &[Token<'_>], at: usize) -> bool {
    matches!(
        tokens.get(at..),
        Some([Token::Mark(':'), Token::Mark(':'), ..])
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn leads(path: &str, text: &str, expected: &[&str]) {
        assert_eq!(paths(&Source::new(path, text)), expected, "{text}");
    }

    #[test]
    fn paths_are_found_wherever_they_stand() {
        let file = "src/http/handlers/login.rs";
        leads(file, "use crate::domain::Code;", &["domain::Code"]);
        leads(
            file,
            "fn f() -> crate::a::B<crate::c::D> { crate::e::g(&h::crate_) }",
            &["a::B", "c::D", "e::g"],
        );
        leads(
            file,
            "macro_rules! m { () => { $crate::a::b!() } }",
            &["a::b"],
        );
        leads(
            file,
            "pub(crate) struct A; pub(in crate::http) struct B;",
            &["http"],
        );
        leads(
            "src/main.rs",
            "fn main() { keyward::cli::main() }",
            &["cli::main"],
        );
        leads(
            file,
            "//! crate::a\n/* crate::b */ fn f() { g(\"crate::c\") }",
            &[],
        );
    }

    #[test]
    fn groups_are_opened() {
        let text = "use crate::{a, b::{self, C as D, e::*}, self as f, super::g};";
        leads("src/x/y.rs", text, &["a", "b", "b::C", "b::e", "", "g"]);
        leads(
            "src/x/y.rs",
            "use super::{super::a, b, super::{c, d}};",
            &["a", "x::b", "c", "d"],
        );
    }

    #[test]
    fn super_leads_upwards_from_where_it_stands() {
        leads(
            "src/a/b/c.rs",
            "use super::x; use super::super::x;",
            &["a::b::x", "a::x"],
        );
        leads("src/a/b/c.rs", "use super::super::super::x;", &["x"]);
        leads("src/a/mod.rs", "use super::x;", &["x"]);
        leads(
            "src/a.rs",
            "mod t { use super::x; mod u { use super::super::x; } } use super::x;",
            &["a::x", "a::x", "x"],
        );
        leads(
            "src/a.rs",
            "fn f() { if g { h } } mod t { fn i() {} use super::x; } use super::x;",
            &["a::x", "x"],
        );
    }
}
