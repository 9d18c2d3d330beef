//! What every file keeps to, whatever is in it.

use super::sources::Source;
use super::tokens::{Token, tokens};

const AIM: usize = 300;
const MOST: usize = 400;

/// What must not stay: each the words and marks it consists of.
const BANNED: &[&[Token<'_>]] = &[
    &[Token::Word("todo"), Token::Mark('!')],
    &[Token::Word("unimplemented"), Token::Mark('!')],
    &[Token::Word("dbg"), Token::Mark('!')],
    &[Token::Mark('['), Token::Word("ignore")],
    &[Token::Mark('['), Token::Word("allow"), Token::Mark('(')],
];

/// A file begins by saying what it is.
pub(super) fn silent(source: &Source) -> Option<String> {
    let speaks = source.text.starts_with("//! ");
    (!speaks).then(|| {
        format!(
            "{}: begin with `//!`: what it is, and what it must not do",
            source.path
        )
    })
}

pub(super) fn long(source: &Source) -> Option<String> {
    let lines = source.text.lines().count();
    let Source { path, .. } = source;
    (lines > MOST).then(|| {
        format!("{path}: {lines} lines, and {MOST} are the limit: split it, {AIM} are the aim")
    })
}

/// What was left for later, or switched off.
pub(super) fn unfinished(source: &Source) -> Vec<String> {
    let tokens = tokens(&source.text);
    let found = BANNED.iter().filter(|banned| {
        tokens
            .windows(banned.len())
            .any(|window| window == **banned)
    });
    found
        .map(|banned| format!("{}: {}", source.path, written(banned)))
        .collect()
}

fn written(tokens: &[Token<'_>]) -> String {
    let mut text = String::new();
    for token in tokens {
        match token {
            Token::Word(word) | Token::Text(word) => text.push_str(word),
            Token::Mark(mark) => text.push(*mark),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_does_not_say_what_it_is_is_found() {
        let fault = |text| silent(&Source::new("src/a.rs", text)).is_some();
        assert!(!fault("//! A.\n\nfn a() {}"));
        for text in ["", "fn a() {}", "/// A.\nfn a() {}", "\n//! A.", "//!\n"] {
            assert!(fault(text), "{text:?}");
        }
    }

    #[test]
    fn a_file_that_is_too_long_is_found() {
        let fault = |lines| long(&Source::new("src/a.rs", &"\n".repeat(lines)));
        assert_eq!(fault(MOST), None);
        assert!(fault(MOST + 1).is_some_and(|fault| fault.contains("401 lines")));
    }

    #[test]
    fn what_was_left_for_later_is_found() {
        let faults = |text| unfinished(&Source::new("a.rs", text));
        assert_eq!(
            faults("fn f() { todo!(); dbg!(x) }"),
            ["a.rs: todo!", "a.rs: dbg!"]
        );
        assert_eq!(
            faults("fn f() { unimplemented!() }"),
            ["a.rs: unimplemented!"]
        );
        assert_eq!(
            faults("#[test]\n#[ignore = \"slow\"]\nfn f() {}"),
            ["a.rs: [ignore"]
        );
        assert_eq!(faults("#![allow(dead_code)]"), ["a.rs: [allow("]);
        assert_eq!(
            faults("#[expect(dead_code)] fn todo() { s(\"dbg!\") } // todo!"),
            [""; 0]
        );
    }
}
