//! `master.key` in the data directory of an embedded database: made once, while nothing is sealed by it yet.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::config::MasterKey;
use crate::domain::Entropy;

/// The keys of the file. Where there is none it is made, if nothing was sealed before.
pub(crate) fn read_or_make(
    data_dir: &Path,
    may_make: bool,
    entropy: &dyn Entropy,
) -> anyhow::Result<Vec<MasterKey>> {
    let path = data_dir.join("master.key");
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => Zeroizing::new(text),
        Err(error) if error.kind() == ErrorKind::NotFound && may_make => make(&path, entropy)?,
        Err(error) if error.kind() == ErrorKind::NotFound => bail!(
            "{} is missing, and the database holds keys that only it opens: put it back, or set KEYWARD_MASTER_KEY",
            path.display()
        ),
        Err(error) => return Err(error).context(format!("{} cannot be read", path.display())),
    };
    MasterKey::parse_list(text.trim())
        .map_err(|wrong| anyhow::anyhow!("{}: {wrong}", path.display()))
}

/// Durable before anything is sealed by it: complete or absent, whenever the power goes.
fn make(path: &Path, entropy: &dyn Entropy) -> anyhow::Result<Zeroizing<String>> {
    let text = Zeroizing::new(STANDARD.encode(Zeroizing::new(entropy.bytes::<32>()).as_slice()));
    let new = path.with_extension("key.new");
    write(&new, &text).with_context(|| format!("{} cannot be written", new.display()))?;
    std::fs::rename(&new, path)?;
    if let Some(dir) = path.parent() {
        File::open(dir)?.sync_all()?;
    }
    Ok(text)
}

fn write(path: &Path, text: &str) -> std::io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    writeln!(file, "{text}")?;
    file.sync_all()
}
