//! The files that the rules are about. Judges nothing.

use std::fs;
use std::path::Path;

/// A file of this repository.
pub(crate) struct Source {
    /// From the root of the repository, such as `src/http/mod.rs`.
    pub(crate) path: String,
    pub(crate) text: String,
}

impl Source {
    /// One that only a test has.
    #[cfg(test)]
    pub(super) fn new(path: &str, text: &str) -> Self {
        Self {
            path: path.to_owned(),
            text: text.to_owned(),
        }
    }
}

/// Every file with this ending in a folder and in those inside it. There is one at least, or a rule would hold of
/// nothing.
pub(crate) fn sources(folder: &str, ending: &str) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    collect(root, &root.join(folder), ending, &mut found);
    assert!(!found.is_empty(), "no {ending} in {folder}");
    found.sort_by(|one, other| one.path.cmp(&other.path));
    found
}

fn collect(root: &Path, folder: &Path, ending: &str, found: &mut Vec<Source>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(root, &path, ending, found);
        } else if path
            .extension()
            .is_some_and(|extension| extension == ending)
        {
            found.push(Source {
                path: path
                    .strip_prefix(root)
                    .unwrap()
                    .to_str()
                    .unwrap()
                    .to_owned(),
                text: fs::read_to_string(&path).unwrap(),
            });
        }
    }
}
