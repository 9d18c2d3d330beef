//! Which user PostgreSQL runs as, and what that user may do to a file.
//! It must not change anything: it only looks.

use std::fmt;
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{getegid, geteuid};

pub(super) const WRITE: u32 = 0o2;
pub(super) const TRAVERSE: u32 = 0o1;

const PASSWD: &str = "/etc/passwd";

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) name: Option<String>,
    /// Keyward is root and PostgreSQL refuses to be.
    pub(super) switched: bool,
}

impl Account {
    pub(super) fn choose(wanted: Option<&str>) -> Result<Self> {
        let uid = geteuid();
        if !uid.is_root() {
            return Ok(Self {
                uid: uid.as_raw(),
                gid: getegid().as_raw(),
                name: None,
                switched: false,
            });
        }
        let passwd = fs::read(PASSWD).with_context(|| format!("cannot read {PASSWD}"))?;
        Self::for_root(wanted, &String::from_utf8_lossy(&passwd))
    }

    fn for_root(wanted: Option<&str>, passwd: &str) -> Result<Self> {
        let Some(name) = wanted else {
            return ["postgres", "nobody"]
                .iter()
                .find_map(|name| look_up(passwd, name))
                .context(
                    "PostgreSQL does not run as root, and there is neither a user postgres nor \
                     nobody here: name one in KEYWARD_POSTGRES_USER",
                );
        };
        let Some(account) = look_up(passwd, name) else {
            bail!("KEYWARD_POSTGRES_USER names {name}, and {PASSWD} has no such user");
        };
        ensure!(
            account.uid != 0,
            "KEYWARD_POSTGRES_USER names {name}, which is root, and PostgreSQL does not run as root"
        );
        Ok(account)
    }

    /// By the mode bits alone: an access list may say more, and then the child reports it.
    pub(super) fn may(&self, permission: u32, file: &Metadata) -> bool {
        let shift = if file.uid() == self.uid {
            6
        } else if file.gid() == self.gid {
            3
        } else {
            0
        };
        (file.mode() >> shift) & permission == permission
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "user {name}"),
            None => write!(f, "uid {}", self.uid),
        }
    }
}

fn look_up(passwd: &str, name: &str) -> Option<Account> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        if fields.next() != Some(name) {
            return None;
        }
        Some(Account {
            uid: fields.nth(1)?.parse().ok()?,
            gid: fields.next()?.parse().ok()?,
            name: Some(name.to_owned()),
            switched: true,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/bash\n\
        nobody:x:65534:65533:nobody:/nonexistent:/usr/sbin/nologin\n\
        broken:x\n\
        postgres:x:101:104:PostgreSQL administrator,,,:/var/lib/postgresql:/bin/bash\n";

    fn ids(account: &Account) -> (u32, u32) {
        (account.uid, account.gid)
    }

    #[test]
    fn postgres_comes_before_nobody() {
        assert_eq!(ids(&Account::for_root(None, PASSWD).unwrap()), (101, 104));
        let without = PASSWD.replace("postgres", "mysql");
        assert_eq!(
            ids(&Account::for_root(None, &without).unwrap()),
            (65534, 65533)
        );
        assert!(Account::for_root(None, "").is_err());
    }

    #[test]
    fn a_named_user_must_exist_and_not_be_root() {
        assert_eq!(
            ids(&Account::for_root(Some("nobody"), PASSWD).unwrap()),
            (65534, 65533)
        );
        for name in ["root", "ann", "broken", ""] {
            assert!(Account::for_root(Some(name), PASSWD).is_err(), "{name}");
        }
    }

    #[test]
    fn permissions_are_those_of_the_closest_class() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o712)).unwrap();
        let file = fs::metadata(dir.path()).unwrap();
        let account = |uid, gid| Account {
            uid,
            gid,
            name: None,
            switched: true,
        };
        assert!(account(file.uid(), 7).may(WRITE, &file));
        assert!(account(file.uid() + 1, file.gid()).may(TRAVERSE, &file));
        assert!(!account(file.uid() + 1, file.gid()).may(WRITE, &file));
        assert!(account(file.uid() + 1, file.gid() + 1).may(WRITE, &file));
        assert!(!account(file.uid() + 1, file.gid() + 1).may(TRAVERSE, &file));
    }
}
