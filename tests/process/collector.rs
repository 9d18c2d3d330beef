//! A collector of OpenTelemetry's: takes what is sent by OTLP over HTTP, and reads it as the protocol's definition says,
//! with nothing of what has written it.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};

use data_encoding::HEXLOWER;
use serde_json::{Value, json};

/// A request, as it came.
struct Taken {
    head: String,
    body: Vec<u8>,
}

#[derive(Default)]
struct State {
    taken: Mutex<Vec<Taken>>,
    /// The status of every answer; 0 for none, ever.
    answer: AtomicU16,
}

pub(crate) struct Collector {
    pub(crate) url: String,
    state: Arc<State>,
}

impl Collector {
    /// One that answers so, until it is told otherwise; a redirection leads to `/elsewhere`.
    pub(crate) fn start(answer: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(State::default());
        let collector = Self {
            url,
            state: Arc::clone(&state),
        };
        collector.answer(answer);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let state = Arc::clone(&state);
                std::thread::spawn(move || serve(&stream.unwrap(), &state));
            }
        });
        collector
    }

    pub(crate) fn answer(&self, status: u16) {
        self.state.answer.store(status, Ordering::Relaxed);
    }

    /// How many requests there were.
    pub(crate) fn asked(&self) -> usize {
        self.state.taken.lock().unwrap().len()
    }

    /// Everything that was sent, as text where it is some.
    pub(crate) fn everything(&self) -> String {
        let taken = self.state.taken.lock().unwrap();
        let texts = taken.iter().map(|taken| {
            let body = String::from_utf8_lossy(&taken.body);
            format!("{}{body}", taken.head)
        });
        texts.collect()
    }

    pub(crate) fn spans(&self) -> Vec<Span> {
        let taken = self.state.taken.lock().unwrap();
        taken.iter().flat_map(|taken| spans(&taken.body)).collect()
    }

    /// The spans of requests of this name, with the parts of each.
    pub(crate) fn requests(&self, name: &str) -> Vec<(Span, Vec<Span>)> {
        let spans = self.spans();
        let requests = spans.iter().filter(|span| span.name == name);
        let parts = |request: &Span| {
            let parts = spans.iter().filter(|span| span.parent_id == request.id);
            parts.cloned().collect()
        };
        requests
            .map(|request| (request.clone(), parts(request)))
            .collect()
    }
}

fn serve(stream: &TcpStream, state: &State) {
    let mut reader = BufReader::new(stream);
    while let Some(taken) = read(&mut reader) {
        state.taken.lock().unwrap().push(taken);
        let status = state.answer.load(Ordering::Relaxed);
        if status == 0 {
            // Held open: whoever waits for the answer waits until it gives up.
            let _ = reader.read(&mut [0]);
            return;
        }
        let head = "Location: /elsewhere\r\nContent-Length: 0";
        let answer = format!("HTTP/1.1 {status} \r\n{head}\r\n\r\n");
        if { stream }.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

/// The next request of a connection, or its end.
fn read(reader: &mut BufReader<&TcpStream>) -> Option<Taken> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let lower = head.to_lowercase();
    let length = lower.split("content-length: ").nth(1)?;
    let length = length.lines().next()?.parse().ok()?;
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Taken { head, body })
}

/// As opentelemetry/proto/trace/v1/trace.proto has it.
#[derive(Debug, Clone)]
pub(crate) struct Span {
    pub(crate) trace_id: String,
    pub(crate) id: String,
    /// Empty where there is none.
    pub(crate) parent_id: String,
    pub(crate) state: String,
    pub(crate) name: String,
    /// 1 internal, 2 server, 3 client.
    pub(crate) kind: u64,
    pub(crate) attributes: BTreeMap<String, Value>,
    /// 0 unset, 2 error.
    pub(crate) status: u64,
    pub(crate) resource: BTreeMap<String, Value>,
}

fn spans(request: &[u8]) -> Vec<Span> {
    let resources = messages(request, 1);
    let of_resource = |resource: &[u8]| {
        let said = messages(resource, 1).next();
        let said = said.map(|said| attributes(&said, 1)).unwrap_or_default();
        let scopes = messages(resource, 2).collect::<Vec<_>>();
        let spans = scopes.iter().flat_map(|scope| messages(scope, 2));
        spans.map(|bytes| span(&bytes, &said)).collect::<Vec<_>>()
    };
    resources
        .flat_map(|resource| of_resource(&resource))
        .collect()
}

fn span(bytes: &[u8], resource: &BTreeMap<String, Value>) -> Span {
    let only = |number| messages(bytes, number).next().unwrap_or_default();
    let text = |number| String::from_utf8(only(number)).unwrap();
    Span {
        trace_id: HEXLOWER.encode(&only(1)),
        id: HEXLOWER.encode(&only(2)),
        parent_id: HEXLOWER.encode(&only(4)),
        state: text(3),
        name: text(5),
        kind: number(bytes, 6).unwrap_or_default(),
        attributes: attributes(bytes, 9),
        status: number(&only(15), 3).unwrap_or_default(),
        resource: resource.clone(),
    }
}

fn attributes(bytes: &[u8], field: u64) -> BTreeMap<String, Value> {
    let pairs = messages(bytes, field);
    let pairs = pairs.map(|pair| {
        let name = String::from_utf8(messages(&pair, 1).next().unwrap()).unwrap();
        let value = messages(&pair, 2).next().unwrap();
        let text = messages(&value, 1).next();
        let text = text.map(|text| json!(String::from_utf8(text).unwrap()));
        (name, text.unwrap_or_else(|| json!(number(&value, 3))))
    });
    pairs.collect()
}

enum Field {
    Number(u64),
    Bytes(Vec<u8>),
}

fn messages(bytes: &[u8], number: u64) -> impl Iterator<Item = Vec<u8>> + use<> {
    fields(bytes)
        .into_iter()
        .filter_map(move |(found, field)| match field {
            Field::Bytes(bytes) if found == number => Some(bytes),
            _ => None,
        })
}

fn number(bytes: &[u8], number: u64) -> Option<u64> {
    fields(bytes)
        .into_iter()
        .find_map(|(found, field)| match field {
            Field::Number(value) if found == number => Some(value),
            _ => None,
        })
}

/// The fields of a message on the wire: protobuf.dev/programming-guides/encoding.
fn fields(mut bytes: &[u8]) -> Vec<(u64, Field)> {
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let tag = varint(&mut bytes);
        let field = match tag & 7 {
            0 => Field::Number(varint(&mut bytes)),
            1 => Field::Bytes(taken(&mut bytes, 8)),
            2 => {
                let length = usize::try_from(varint(&mut bytes)).unwrap();
                Field::Bytes(taken(&mut bytes, length))
            }
            5 => Field::Bytes(taken(&mut bytes, 4)),
            other => panic!("there is no wire type {other}"),
        };
        fields.push((tag >> 3, field));
    }
    fields
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = taken(bytes, 1)[0];
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            break;
        }
    }
    value
}

fn taken(bytes: &mut &[u8], length: usize) -> Vec<u8> {
    let (taken, rest) = bytes.split_at(length);
    *bytes = rest;
    taken.to_vec()
}
