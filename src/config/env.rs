//! Reads variables by name and collects every problem on the way. It must not know what any
//! variable means, and must not put a value into a problem.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::{fmt, fs, io};

use super::dotenv;
use super::names::{self, Name, is_ours};

/// Everything that is wrong with a configuration, one line each: the name, what is wrong, and what
/// is allowed.
#[derive(Debug, Clone)]
pub struct Problems(Vec<String>);

impl fmt::Display for Problems {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0.join("\n"))
    }
}

impl std::error::Error for Problems {}

/// The variables that are ours, and the problems found so far.
#[derive(Default)]
pub(super) struct Env {
    vars: BTreeMap<String, String>,
    problems: Vec<String>,
}

impl Env {
    /// The process environment over `.env`.
    pub(super) fn of_process() -> Self {
        let mut env = Self::default();
        match fs::read_to_string(".env") {
            Ok(text) => env.add_file(&text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => env.problems.push(format!(".env: cannot be read: {error}")),
        }
        env.add_process(std::env::vars_os());
        env
    }

    pub(super) fn of(vars: impl IntoIterator<Item = (String, String)>) -> Self {
        let vars = vars.into_iter().filter(|(name, _)| is_ours(name)).collect();
        Self {
            vars,
            problems: Vec::new(),
        }
    }

    fn add_file(&mut self, text: &str) {
        for entry in dotenv::read(text) {
            match entry {
                Ok((line, name, value)) if is_ours(&name) => {
                    if self.vars.contains_key(&name) {
                        self.problems
                            .push(format!(".env line {line}: sets {name} again"));
                    }
                    self.vars.insert(name, value);
                }
                Ok(_) => {}
                Err(problem) => self.problems.push(problem),
            }
        }
    }

    fn add_process(&mut self, vars: impl Iterator<Item = (OsString, OsString)>) {
        for (name, value) in vars {
            let name = name.to_string_lossy().into_owned();
            if !is_ours(&name) {
                continue;
            }
            match value.into_string() {
                Ok(value) => {
                    self.vars.insert(name, value);
                }
                Err(_) => self
                    .problems
                    .push(format!("{}: must be UTF-8 text", name.escape_debug())),
            }
        }
    }

    pub(super) fn refuse_unknown_names(&mut self) {
        for name in self.vars.keys().filter(|name| names::is_unknown(name)) {
            let hint = names::nearest(name)
                .map_or(String::new(), |near| format!("; did you mean {near}?"));
            let name = name.escape_debug();
            self.problems
                .push(format!("{name}: is not a name that Keyward knows{hint}"));
        }
    }

    /// Whether the variable is set to something.
    pub(super) fn has(&self, name: &Name) -> bool {
        self.value(name).is_some()
    }

    fn value(&self, name: &Name) -> Option<&str> {
        self.vars
            .get(name.name)
            .map(|value| value.trim())
            .filter(|value| !value.is_empty())
    }

    /// The value, or the default of the name, as `parse` understands it; `None` after a problem was
    /// noted.
    pub(super) fn parsed<T>(
        &mut self,
        name: &Name,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let outcome = parse(self.value(name).unwrap_or(name.default));
        outcome.map_err(|what| self.problem(name, &what)).ok()
    }

    /// The value as `parse` understands it, or `fallback` when unset; `None` after a problem was
    /// noted.
    pub(super) fn parsed_or<T>(
        &mut self,
        name: &Name,
        fallback: T,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        if self.has(name) {
            self.parsed(name, parse)
        } else {
            Some(fallback)
        }
    }

    /// The value as it stands, or `None` when unset.
    pub(super) fn text(&self, name: &Name) -> Option<String> {
        self.value(name).map(str::to_owned)
    }

    /// Notes that a variable is wrong. `what` says what is wrong and what is allowed, and never the
    /// value.
    pub(super) fn problem(&mut self, name: &Name, what: &str) {
        self.problems.push(format!("{}: {what}", name.name));
    }

    pub(super) fn finish<T>(self, read: Option<T>) -> Result<T, Problems> {
        match read {
            Some(read) if self.problems.is_empty() => Ok(read),
            _ => Err(Problems(self.problems)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(file: &str, process: &[(&str, &str)]) -> Env {
        let mut env = Env::default();
        env.add_file(file);
        env.add_process(
            process
                .iter()
                .map(|(name, value)| (name.into(), value.into())),
        );
        env
    }

    #[test]
    fn the_environment_wins_over_the_file_even_when_empty() {
        let env = env(
            "DATABASE_URL=file\nRUST_LOG=file\nKEYWARD_DATA_DIR=file\n",
            &[("DATABASE_URL", "process"), ("RUST_LOG", "")],
        );
        assert_eq!(
            env.text(&super::super::database::URL).as_deref(),
            Some("process")
        );
        assert_eq!(env.text(&super::super::log::FILTER), None);
        assert_eq!(
            env.text(&super::super::database::DATA_DIR).as_deref(),
            Some("file")
        );
    }

    #[test]
    fn the_file_sets_no_process_variable() {
        env("KEYWARD_TEST_OF_DOTENV=1\n", &[]);
        assert!(std::env::var_os("KEYWARD_TEST_OF_DOTENV").is_none());
    }

    #[test]
    fn a_name_set_twice_in_the_file_is_a_problem() {
        let env = env("RUST_LOG=a\nOTHER=1\nOTHER=2\nRUST_LOG=b\n", &[]);
        assert_eq!(env.problems, [".env line 4: sets RUST_LOG again"]);
    }

    #[cfg(unix)]
    #[test]
    fn a_value_that_is_no_text_is_a_problem_only_when_ours() {
        use std::os::unix::ffi::OsStringExt;
        let mut env = Env::default();
        let vars =
            ["KEYWARD_LISTEN", "LS_COLORS"].map(|n| (n.into(), OsString::from_vec(vec![0xff])));
        env.add_process(vars.into_iter());
        assert_eq!(env.problems, ["KEYWARD_LISTEN: must be UTF-8 text"]);
    }
}
