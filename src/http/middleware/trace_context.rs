//! The trace that a request is part of (W3C Trace Context, section 3): the caller's where it names one, else a new one.
//! It is for the log and for spans, and proves nothing.

use actix_web::http::header::HeaderMap;

use crate::spans::Parent;

/// More of a `tracestate` is not passed on: every span below would have a copy of it.
const STATE: usize = 512;

/// The caller's span, of the headers `traceparent` and `tracestate`; none where the trace begins here.
pub(super) fn parent(headers: &HeaderMap) -> Option<Parent> {
    let mut sent = headers.get_all("traceparent");
    let only = sent.next().filter(|_| sent.next().is_none())?;
    let mut parent = parse(only.to_str().ok()?)?;
    let states = headers.get_all("tracestate");
    let states: Vec<_> = states.filter_map(|value| value.to_str().ok()).collect();
    parent.state = states.join(",");
    if parent.state.len() > STATE {
        parent.state.clear();
    }
    Some(parent)
}

/// Later versions may add fields at the end, and only there.
fn parse(text: &str) -> Option<Parent> {
    let mut fields = text.splitn(5, '-');
    let mut hex = |length| fields.next().filter(|field| is_hex(field, length));
    let (version, trace_id, span_id, flags) = (hex(2)?, hex(32)?, hex(16)?, hex(2)?);
    let more = fields.next().is_some();
    let known = version != "ff" && (version != "00" || !more);
    let flags = u8::from_str_radix(flags, 16).ok()?;
    (known && is_id(trace_id) && is_id(span_id)).then(|| Parent {
        trace_id: trace_id.to_owned(),
        span_id: span_id.to_owned(),
        sampled: flags & 1 == 1,
        state: String::new(),
    })
}

fn is_hex(field: &str, length: usize) -> bool {
    let digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    field.len() == length && field.bytes().all(digit)
}

fn is_id(field: &str) -> bool {
    field.bytes().any(|byte| byte != b'0')
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderName, HeaderValue};

    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const PARENT: &str = "00f067aa0ba902b7";

    fn of(sent: &[&str], states: &[&str]) -> Option<Parent> {
        let mut headers = HeaderMap::new();
        for (name, values) in [("traceparent", sent), ("tracestate", states)] {
            for value in values {
                let name = HeaderName::from_static(name);
                headers.append(name, HeaderValue::from_str(value).unwrap());
            }
        }
        parent(&headers)
    }

    #[test]
    fn the_callers_trace_is_gone_on_with() {
        for (sent, sampled) in [
            (format!("00-{TRACE}-{PARENT}-01"), true),
            (format!("00-{TRACE}-{PARENT}-00"), false),
            (format!("00-{TRACE}-{PARENT}-02"), false),
            (format!("00-{TRACE}-{PARENT}-ff"), true),
            (format!("cc-{TRACE}-{PARENT}-01"), true),
            (
                format!("cc-{TRACE}-{PARENT}-01-what-the-future-will-be"),
                true,
            ),
        ] {
            let expected = Parent {
                trace_id: TRACE.to_owned(),
                span_id: PARENT.to_owned(),
                sampled,
                state: "a=1,b=2,c=3".to_owned(),
            };
            let states = ["a=1,b=2", "c=3"];
            assert_eq!(of(&[&sent], &states), Some(expected), "{sent}");
        }
    }

    #[test]
    fn a_state_that_is_too_long_is_not_passed_on() {
        let sent = format!("00-{TRACE}-{PARENT}-01");
        for (length, kept) in [(512, true), (513, false)] {
            let state = format!("a={}", "x".repeat(length - 2));
            let parent = of(&[&sent], &[&state]).unwrap();
            assert_eq!(parent.state == state, kept);
            assert_eq!(parent.state.is_empty(), !kept);
        }
    }

    #[test]
    fn what_names_no_trace_begins_one() {
        let good = format!("00-{TRACE}-{PARENT}-01");
        let upper = good.to_uppercase();
        let (zero_trace, zero_parent) = ("0".repeat(32), "0".repeat(16));
        let cases: &[&[&str]] = &[
            &[],
            &[&good, &good],
            &[""],
            &[&upper],
            &[&format!("ff-{TRACE}-{PARENT}-01")],
            &[&format!("00-{TRACE}-{PARENT}-01-")],
            &[&format!("00-{TRACE}-{PARENT}-01-more")],
            &[&format!("cc-{TRACE}-{PARENT}-01.more")],
            &[&format!("00-{zero_trace}-{PARENT}-01")],
            &[&format!("00-{TRACE}-{zero_parent}-01")],
            &[&format!("00-{TRACE}0-{PARENT}-01")],
            &[&format!("00-{TRACE}-{PARENT}")],
            &[&format!("0-{TRACE}-{PARENT}-01")],
            &[&format!("00-{TRACE}-{PARENT}-1")],
            &[&format!("00_{TRACE}_{PARENT}_01")],
            &[&format!("{good} ")],
            &[&format!("{good},{good}")],
        ];
        for case in cases {
            assert_eq!(of(case, &["a=1"]), None, "{case:?}");
        }
    }
}
