//! The refresh protocol: what to do with a refresh token that is shown. One pure function decides.
//!
//! It forgives what honest clients do (two tabs, a lost answer, a suspended phone) and ends the session when a
//! token comes back that only a copy can explain. `docs/decisions/0003-refresh-protocol.md` gives the reasons.

use chrono::{DateTime, TimeDelta, Utc};

use super::Transport;

/// A digest of a refresh token's secret.
type Digest = [u8; 32];

/// How forgiving the protocol is, and how long a session may idle.
#[derive(Debug, Clone, Copy)]
pub struct RefreshRules {
    /// A session not refreshed for this long is over.
    pub idle: TimeDelta,
    /// For this long after a rotation the parent and the current token are answered with the current one. 0: never.
    pub grace: TimeDelta,
    /// Whether a parent shown after the grace gets a new successor while nobody has shown the old one.
    pub recovery: bool,
}

/// What the session row holds.
#[derive(Debug, Clone)]
pub struct HeldToken {
    /// How many times the token was replaced.
    pub generation: i32,
    /// Of the token that is good now.
    pub current: Digest,
    /// Of the token it was derived from.
    pub parent: Option<Digest>,
    /// When the current one was made.
    pub rotated_at: DateTime<Utc>,
    /// Whether the current one has been shown to us.
    pub seen: bool,
    /// Where it travels.
    pub transport: Transport,
    /// Whether the session was ended.
    pub ended: bool,
    /// When the session ends, however active it is.
    pub absolute_expires_at: DateTime<Utc>,
    /// Whether the account is switched off.
    pub user_disabled: bool,
}

/// A genuine refresh token, as somebody shows it: its MAC is ours.
#[derive(Debug, Clone)]
pub struct ShownToken {
    /// The generation it says it is of.
    pub generation: i32,
    /// Of its secret.
    pub digest: Digest,
    /// How it came.
    pub transport: Transport,
}

/// What to do with a shown token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The session is over, or was never reached this way. Nothing is written.
    Refuse,
    /// Replace the current token.
    Rotate,
    /// Give the current token again.
    SameToken,
    /// Derive the current token again from its parent, and give that.
    SameSuccessor,
    /// The answer was lost: replace the successor nobody has shown by a fresh one.
    Recover,
    /// Our own state does not fit: a database restored from a backup. Refuse, keep the session, tell the operator.
    OurFault,
    /// A replaced token came back: somebody holds a copy. End the session.
    Theft,
}

impl Verdict {
    /// Every case.
    pub const ALL: &[Self] = &[
        Self::Refuse,
        Self::Rotate,
        Self::SameToken,
        Self::SameSuccessor,
        Self::Recover,
        Self::OurFault,
        Self::Theft,
    ];
}

/// Judges a shown token against the row it points at.
pub fn judge(
    held: &HeldToken,
    shown: &ShownToken,
    rules: &RefreshRules,
    now: DateTime<Utc>,
) -> Verdict {
    if !reachable(held, shown, rules, now) {
        return Verdict::Refuse;
    }
    let in_grace = (now - held.rotated_at).max(TimeDelta::zero()) < rules.grace;
    if shown.digest == held.current {
        let fresh = held.generation > 0 && in_grace;
        return if fresh {
            Verdict::SameToken
        } else {
            Verdict::Rotate
        };
    }
    if held.parent == Some(shown.digest) {
        let recoverable = rules.recovery && !rules.grace.is_zero() && !held.seen;
        return match (in_grace, recoverable) {
            (true, _) => Verdict::SameSuccessor,
            (false, true) => Verdict::Recover,
            (false, false) => Verdict::Theft,
        };
    }
    if shown.generation > held.generation {
        Verdict::OurFault
    } else {
        Verdict::Theft
    }
}

fn reachable(
    held: &HeldToken,
    shown: &ShownToken,
    rules: &RefreshRules,
    now: DateTime<Utc>,
) -> bool {
    let expires_at = held.absolute_expires_at.min(held.rotated_at + rules.idle);
    !held.ended && !held.user_disabled && held.transport == shown.transport && now < expires_at
}

#[cfg(test)]
mod tests {
    use super::*;
    use Verdict::{OurFault, Recover, Refuse, Rotate, SameSuccessor, SameToken, Theft};

    const PARENT: Digest = [1; 32];
    const CURRENT: Digest = [2; 32];
    const OTHER: Digest = [3; 32];
    const RULES: RefreshRules = RefreshRules {
        idle: TimeDelta::days(7),
        grace: TimeDelta::seconds(30),
        recovery: true,
    };
    const STRICT: RefreshRules = RefreshRules {
        grace: TimeDelta::zero(),
        ..RULES
    };
    const NO_RECOVERY: RefreshRules = RefreshRules {
        recovery: false,
        ..RULES
    };

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000, 0).unwrap()
    }

    /// A session that was rotated three times, the last time `age` seconds ago.
    fn held(age: i64, seen: bool) -> HeldToken {
        HeldToken {
            generation: 3,
            current: CURRENT,
            parent: Some(PARENT),
            rotated_at: now() - TimeDelta::seconds(age),
            seen,
            transport: Transport::Body,
            ended: false,
            absolute_expires_at: now() + TimeDelta::days(1),
            user_disabled: false,
        }
    }

    fn shown(digest: Digest, generation: i32) -> ShownToken {
        ShownToken {
            generation,
            digest,
            transport: Transport::Body,
        }
    }

    /// What is shown: which secret, and the generation it says it is of.
    const CURRENT_SHOWN: (Digest, i32) = (CURRENT, 3);
    const PARENT_SHOWN: (Digest, i32) = (PARENT, 2);

    /// The case, seconds since the rotation, whether the successor was seen, what is shown, the rules, the verdict.
    type Row = (
        &'static str,
        i64,
        bool,
        (Digest, i32),
        RefreshRules,
        Verdict,
    );

    #[rustfmt::skip]
    const TABLE: &[Row] = &[
        ("current, rotated the grace ago", 30, false, CURRENT_SHOWN, RULES, Rotate),
        ("current, rotated long ago, seen", 9000, true, CURRENT_SHOWN, RULES, Rotate),
        ("current, within the grace", 29, false, CURRENT_SHOWN, RULES, SameToken),
        ("current, within the grace, seen", 0, true, CURRENT_SHOWN, RULES, SameToken),
        ("current, strict", 0, false, CURRENT_SHOWN, STRICT, Rotate),
        ("current, the clock went back", -600, false, CURRENT_SHOWN, RULES, SameToken),
        ("current, the clock went back, strict", -600, false, CURRENT_SHOWN, STRICT, Rotate),
        ("parent, within the grace", 29, false, PARENT_SHOWN, RULES, SameSuccessor),
        ("parent, within the grace, successor seen", 29, true, PARENT_SHOWN, RULES, SameSuccessor),
        ("parent, the clock went back", -600, false, PARENT_SHOWN, RULES, SameSuccessor),
        ("parent, after the grace, successor unseen", 30, false, PARENT_SHOWN, RULES, Recover),
        ("parent, after the grace, successor seen", 30, true, PARENT_SHOWN, RULES, Theft),
        ("parent, after the grace, no recovery", 30, false, PARENT_SHOWN, NO_RECOVERY, Theft),
        ("parent, within the grace, no recovery", 29, false, PARENT_SHOWN, NO_RECOVERY, SameSuccessor),
        ("parent, strict", 0, false, PARENT_SHOWN, STRICT, Theft),
        ("parent of a recovered successor", 5, false, (PARENT, 1), RULES, SameSuccessor),
        ("grandparent, within the grace", 1, false, (OTHER, 1), RULES, Theft),
        ("grandparent, later", 9000, true, (OTHER, 1), RULES, Theft),
        ("replaced by a recovery", 1, false, (OTHER, 2), RULES, Theft),
        ("another of this generation", 1, false, (OTHER, 3), RULES, Theft),
        ("a generation above ours", 1, false, (OTHER, 4), RULES, OurFault),
    ];

    #[test]
    fn the_table() {
        for (case, age, seen, (digest, generation), rules, verdict) in TABLE {
            let (held, shown) = (held(*age, *seen), shown(*digest, *generation));
            assert_eq!(judge(&held, &shown, rules, now()), *verdict, "{case}");
        }
    }

    #[test]
    fn a_token_that_was_never_replaced_is_replaced_at_once() {
        let first = HeldToken {
            generation: 0,
            parent: None,
            ..held(0, false)
        };
        assert_eq!(judge(&first, &shown(CURRENT, 0), &RULES, now()), Rotate);
    }

    #[test]
    fn a_session_that_is_over_is_refused_before_all_else() {
        let over = [
            (
                "ended",
                HeldToken {
                    ended: true,
                    ..held(60, false)
                },
            ),
            (
                "disabled",
                HeldToken {
                    user_disabled: true,
                    ..held(60, false)
                },
            ),
            (
                "other transport",
                HeldToken {
                    transport: Transport::Cookie,
                    ..held(60, false)
                },
            ),
            (
                "absolute end",
                HeldToken {
                    absolute_expires_at: now(),
                    ..held(60, false)
                },
            ),
            ("idle end", held(RULES.idle.num_seconds(), false)),
        ];
        for (case, held) in over {
            for digest in [CURRENT, PARENT, OTHER] {
                assert_eq!(
                    judge(&held, &shown(digest, 2), &RULES, now()),
                    Refuse,
                    "{case}"
                );
            }
        }
    }
}
