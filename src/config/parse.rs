//! Turns the text of a value into what it means. It must not quote the text in an error, which may
//! be a secret that was put under the wrong name.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use chrono::TimeDelta;

const UNITS: [(char, u64); 4] = [('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];

/// A whole number within `range`.
pub(super) fn number<T>(range: RangeInclusive<T>) -> impl FnOnce(&str) -> Result<T, String>
where
    T: FromStr + PartialOrd + Display,
{
    move |text| {
        let number = digits(text).and_then(|text| text.parse().ok());
        number
            .filter(|number| range.contains(number))
            .ok_or_else(|| {
                format!(
                    "must be a whole number from {} to {}",
                    range.start(),
                    range.end()
                )
            })
    }
}

/// A whole number with a unit, within `range` of seconds.
pub(super) fn duration(
    range: RangeInclusive<u64>,
) -> impl FnOnce(&str) -> Result<Duration, String> {
    move |text| {
        let seconds = UNITS.iter().find_map(|(unit, size)| {
            let number: u64 = digits(text.strip_suffix(*unit)?)?.parse().ok()?;
            number.checked_mul(*size)
        });
        seconds
            .filter(|seconds| range.contains(seconds))
            .map(Duration::from_secs)
            .ok_or_else(|| {
                let (least, most) = (shown(*range.start()), shown(*range.end()));
                format!(
                    "must be from {least} to {most}, written as a whole number and s, m, h or d"
                )
            })
    }
}

/// The same, as what times are reckoned with.
pub(super) fn time(seconds: RangeInclusive<u64>) -> impl FnOnce(&str) -> Result<TimeDelta, String> {
    move |text| {
        let duration = duration(seconds)(text)?;
        TimeDelta::from_std(duration).map_err(|error| error.to_string())
    }
}

/// `number` would take a leading plus as well.
fn digits(text: &str) -> Option<&str> {
    text.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then_some(text)
}

fn shown(seconds: u64) -> String {
    let fits = |(_, size): &&(char, u64)| seconds > 0 && seconds.is_multiple_of(*size);
    let (unit, size) = UNITS.iter().find(fits).unwrap_or(&('s', 1));
    format!("{}{unit}", seconds / size)
}

/// `true` or `false`, `on` or `off`.
pub(super) fn switch(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "on" => Ok(true),
        "false" | "off" => Ok(false),
        _ => Err("must be `true` or `false` (`on` and `off` will do)".to_owned()),
    }
}

/// One of a few words, written exactly so.
pub(super) fn choice<T, const N: usize>(
    choices: [(&'static str, T); N],
) -> impl FnOnce(&str) -> Result<T, String> {
    move |text| {
        let words = choices
            .each_ref()
            .map(|(word, _)| format!("`{word}`"))
            .join(" or ");
        let chosen = choices.into_iter().find(|(word, _)| *word == text);
        chosen
            .map(|(_, choice)| choice)
            .ok_or_else(|| format!("must be {words}"))
    }
}

/// Entries between commas, each read by `entry`. No text is no entry; an empty one among others is
/// a mistake. The error tells which entry it was.
pub(super) fn list<T>(
    text: &str,
    entry: impl Fn(&str) -> Result<T, String>,
) -> Result<Vec<T>, String> {
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    let entries = text.split(',').map(|part| entry(part.trim()));
    (1..)
        .zip(entries)
        .map(|(at, parsed)| parsed.map_err(|what| format!("entry {at} {what}")))
        .collect()
}

/// How many threads the machine, or the container's share of it, runs at once; 1 where that cannot
/// be told.
pub(super) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_a_unit_and_a_range() {
        let read = |text| {
            duration(0..=86_400)(text)
                .ok()
                .map(|duration| duration.as_secs())
        };
        let good = [
            ("0s", 0),
            ("90s", 90),
            ("2m", 120),
            ("24h", 86_400),
            ("1d", 86_400),
        ];
        for (text, seconds) in good {
            assert_eq!(read(text), Some(seconds), "{text}");
        }
        for text in [
            "", "0", "s", "-1s", "+1s", "1.5h", "1 s", "1S", "1w", "1ms", "1é", "25h", "2d",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
        assert_eq!(read("18446744073709551615d"), None);
    }

    #[test]
    fn a_range_is_told_in_its_largest_units() {
        let told = |range| duration(range)("").err().unwrap_or_default();
        assert!(told(0..=90).starts_with("must be from 0s to 90s,"));
        assert!(told(60..=34_560_000).starts_with("must be from 1m to 400d,"));
    }

    #[test]
    fn numbers_are_plain_digits() {
        let read = |text| number(8..=64_u8)(text).ok();
        assert_eq!((read("8"), read("64")), (Some(8), Some(64)));
        for text in ["", "7", "65", "+9", "-9", "9.0", "0x9", "999", "9 9"] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
