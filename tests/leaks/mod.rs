//! What must never be in a log: whatever looks like a secret, and the secrets that a client has sent or was given.

use serde_json::Value;

/// How secrets look, and what they are.
const SHAPES: [(&str, &str); 8] = [
    (".eyJ", "a JWT"),
    ("kwr_", "a refresh token"),
    ("kwd_", "a device token"),
    ("kwc_", "a challenge token"),
    ("access_token=", "a token in a query"),
    ("otpauth://", "a secret of a second factor"),
    ("$argon2", "a password hash"),
    ("-----BEGIN ", "a key"),
];

/// The members of bodies that hold secrets. The six digits of a code are not among them: a time of day has as many.
const MEMBERS: [&str; 10] = [
    "password",
    "current_password",
    "new_password",
    "refresh_token",
    "access_token",
    "device_token",
    "challenge_token",
    "secret",
    "backup_code",
    "backup_codes",
];

/// What a text has the shape of.
pub(crate) fn shape_in(text: &str) -> Option<&'static str> {
    let found = SHAPES.iter().find(|(shape, _)| text.contains(shape));
    found.map(|(_, what)| *what)
}

/// The secrets of a body, each with the member that it is.
pub(crate) fn secrets_in(body: &Value) -> Vec<(&'static str, String)> {
    let Value::Object(members) = body else {
        return Vec::new();
    };
    let known = MEMBERS
        .iter()
        .filter_map(|name| Some((*name, members.get(*name)?)));
    let texts = known.flat_map(|(name, value)| match value {
        Value::Array(several) => several.iter().map(|value| (name, value)).collect(),
        one => vec![(name, one)],
    });
    texts
        .filter_map(|(name, value)| Some((name, value.as_str()?.to_owned())))
        .collect()
}
