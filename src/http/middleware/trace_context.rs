//! The trace that a request is part of (W3C Trace Context, section 3.2): the caller's where it names one, else a new one.
//! It is for the log, and proves nothing.

use actix_web::http::header::HeaderMap;

use crate::domain::Entropy;

/// Of the header `traceparent`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TraceContext {
    pub(super) trace_id: String,
    /// The caller's own span; none where the trace begins here.
    pub(super) parent_id: Option<String>,
}

impl TraceContext {
    pub(super) fn of(headers: &HeaderMap, entropy: &dyn Entropy) -> Self {
        let mut sent = headers.get_all("traceparent");
        let only = sent.next().filter(|_| sent.next().is_none());
        let known = only
            .and_then(|value| value.to_str().ok())
            .and_then(Self::parse);
        known.unwrap_or_else(|| Self {
            trace_id: format!("{:032x}", u128::from_be_bytes(entropy.bytes())),
            parent_id: None,
        })
    }

    /// Later versions may add fields at the end, and only there.
    fn parse(text: &str) -> Option<Self> {
        let mut fields = text.splitn(5, '-');
        let mut hex = |length| fields.next().filter(|field| is_hex(field, length));
        let (version, trace_id, parent_id, _flags) = (hex(2)?, hex(32)?, hex(16)?, hex(2)?);
        let more = fields.next().is_some();
        let known = version != "ff" && (version != "00" || !more);
        (known && is_id(trace_id) && is_id(parent_id)).then(|| Self {
            trace_id: trace_id.to_owned(),
            parent_id: Some(parent_id.to_owned()),
        })
    }
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

    struct Sevens;

    impl Entropy for Sevens {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(0x77);
        }
    }

    fn of(sent: &[&str]) -> TraceContext {
        let mut headers = HeaderMap::new();
        for value in sent {
            let name = HeaderName::from_static("traceparent");
            headers.append(name, HeaderValue::from_str(value).unwrap());
        }
        TraceContext::of(&headers, &Sevens)
    }

    #[test]
    fn the_callers_trace_is_gone_on_with() {
        for sent in [
            format!("00-{TRACE}-{PARENT}-01"),
            format!("00-{TRACE}-{PARENT}-00"),
            format!("00-{TRACE}-{PARENT}-ff"),
            format!("cc-{TRACE}-{PARENT}-01"),
            format!("cc-{TRACE}-{PARENT}-01-what-the-future-will-be"),
        ] {
            let context = of(&[&sent]);
            assert_eq!(context.trace_id, TRACE, "{sent}");
            assert_eq!(context.parent_id.as_deref(), Some(PARENT), "{sent}");
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
            let context = of(case);
            assert_eq!(context.trace_id, "77".repeat(16), "{case:?}");
            assert_eq!(context.parent_id, None, "{case:?}");
        }
    }
}
