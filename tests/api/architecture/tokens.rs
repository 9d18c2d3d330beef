//! Rust's text as words, marks and strings: enough to tell code from what is only said about it. Understands nothing.

/// What is neither space nor comment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token<'t> {
    /// A name, a keyword or a number.
    Word(&'t str),
    /// A string: what is between its quotes.
    Text(&'t str),
    /// Any other character.
    Mark(char),
}

pub(super) fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let (token, after) = next(rest, first);
        found.extend(token);
        rest = after;
    }
    found
}

/// The token at the beginning, if it is one, and what comes after.
fn next(rest: &str, first: char) -> (Option<Token<'_>>, &str) {
    if rest.starts_with("//") {
        return (None, &rest[rest.find('\n').unwrap_or(rest.len())..]);
    }
    if let Some(comment) = rest.strip_prefix("/*") {
        // Comments in comments are not understood; there are none.
        return (
            None,
            comment.split_once("*/").map_or("", |(_, after)| after),
        );
    }
    if let Some((text, after)) = string(rest) {
        return (Some(Token::Text(text)), after);
    }
    if let Some(after) = after_character(rest) {
        return (None, after);
    }
    let end = rest.find(|letter: char| !(letter.is_alphanumeric() || letter == '_'));
    let (word, after) = rest.split_at(end.unwrap_or(rest.len()));
    if !word.is_empty() {
        return (Some(Token::Word(word)), after);
    }
    let mark = (!first.is_whitespace()).then_some(Token::Mark(first));
    (mark, &rest[first.len_utf8()..])
}

/// The string at the beginning, of any kind that Rust has.
fn string(rest: &str) -> Option<(&str, &str)> {
    let prefixes = ["br", "cr", "r", "b", "c", ""];
    let prefix = prefixes.into_iter().find(|prefix| {
        rest.strip_prefix(prefix)
            .is_some_and(|after| after.starts_with(['"', '#']))
    })?;
    let rest = &rest[prefix.len()..];
    let hashes = &rest[..rest.find(|mark| mark != '#')?];
    let inside = rest[hashes.len()..].strip_prefix('"')?;
    if prefix.ends_with('r') {
        return inside.split_once(&format!("\"{hashes}"));
    }
    let mut escaped = false;
    let end = inside.find(|letter| {
        let ends = letter == '"' && !escaped;
        escaped = letter == '\\' && !escaped;
        ends
    })?;
    hashes
        .is_empty()
        .then(|| (&inside[..end], &inside[end + 1..]))
}

/// What comes after the character literal at the beginning. A lifetime is none.
fn after_character(rest: &str) -> Option<&str> {
    let inside = rest.strip_prefix('\'')?;
    let mut letters = inside.chars();
    let (first, second) = (letters.next()?, letters.next()?);
    if first == '\\' {
        let after = &inside[1 + second.len_utf8()..];
        return after.split_once('\'').map(|(_, after)| after);
    }
    (second == '\'').then_some(letters.as_str())
}

#[cfg(test)]
mod tests {
    use super::Token::{Mark, Text, Word};
    use super::*;

    #[test]
    fn code_is_told_from_comments() {
        let text = "//! a\nb /* c // */ f // g\n/**/h /*/";
        assert_eq!(tokens(text), [Word("b"), Word("f"), Word("h")]);
    }

    #[test]
    fn code_is_told_from_strings() {
        let strings = [
            (r#""a\"b""#, r#"a\"b"#),
            (r#"r"a\""#, "a\\"),
            ("r#\"a\"b\"#", "a\"b"),
            ("b\"a\"", "a"),
            ("br##\"a\"#\"##", "a\"#"),
        ];
        for (text, inside) in strings {
            let around = format!("x {text} y");
            assert_eq!(
                tokens(&around),
                [Word("x"), Text(inside), Word("y")],
                "{text}"
            );
        }
    }

    #[test]
    fn characters_are_told_from_lifetimes() {
        let lifetime = [Mark('<'), Mark('\''), Word("a"), Mark('>')];
        assert_eq!(tokens("<'a>"), lifetime);
        for character in ["'a'", "'\"'", "'\\''", "'\\\\'", "'\\u{22}'", "'é'"] {
            assert_eq!(
                tokens(&format!("x {character} y")),
                [Word("x"), Word("y")],
                "{character}"
            );
        }
    }

    #[test]
    fn names_may_look_like_the_beginning_of_a_string() {
        let text = "r#type #[br] return";
        let words = [Word("r"), Mark('#'), Word("type")];
        let attribute = [Mark('#'), Mark('['), Word("br"), Mark(']'), Word("return")];
        assert_eq!(tokens(text), [&words[..], &attribute].concat());
    }
}
