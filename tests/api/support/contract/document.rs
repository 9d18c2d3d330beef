//! `openapi.yaml`, read once: finds operations, answers and components. Judges nothing.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use serde_json::Value;

use super::schema::Compiled;

const TEXT: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.yaml"));
const METHODS: [&str; 7] = ["get", "put", "post", "delete", "options", "patch", "trace"];

static DOCUMENT: LazyLock<Document> = LazyLock::new(|| Document::read(TEXT));

pub(super) struct Document {
    root: Value,
    pub(super) compiled: Compiled,
}

/// One method of one path.
#[derive(Clone, Copy)]
pub(super) struct Operation<'d> {
    document: &'d Document,
    method: &'d str,
    path: &'d str,
    value: &'d Value,
}

impl Document {
    pub(super) fn get() -> &'static Self {
        &DOCUMENT
    }

    pub(super) fn read(text: &str) -> Self {
        match serde_saphyr::from_str(text) {
            Ok(root) => Self {
                root,
                compiled: Compiled::default(),
            },
            Err(error) => unreachable!("openapi.yaml is not YAML: {error}"),
        }
    }

    pub(super) fn operations(&self) -> impl Iterator<Item = Operation<'_>> {
        self.paths().flat_map(|(path, _)| self.operations_at(path))
    }

    /// What answers this request: `HEAD` is the business of `GET`.
    pub(super) fn operation(&self, method: &str, path: &str) -> Option<Operation<'_>> {
        let asked = if method == "HEAD" { "GET" } else { method };
        let known = |operation: &Operation<'_>| operation.method_name() == asked;
        self.operations_at(self.template(path)?).find(known)
    }

    /// The methods the path knows, `HEAD` among them; `None` when there is no such path.
    pub(super) fn methods(&self, path: &str) -> Option<BTreeSet<String>> {
        let operations = self.operations_at(self.template(path)?);
        let mut methods: BTreeSet<_> = operations.map(|found| found.method_name()).collect();
        if methods.contains("GET") {
            methods.insert("HEAD".to_owned());
        }
        Some(methods)
    }

    /// The answer to a path or method that is not in the document.
    pub(super) fn elsewhere(&self, status: u16) -> Option<&Value> {
        self.root["x-elsewhere"]["responses"]
            .get(status.to_string())
            .map(|found| self.resolve(found))
    }

    /// Follows `$ref` until something else is found.
    pub(super) fn resolve<'d>(&'d self, value: &'d Value) -> &'d Value {
        let Some(reference) = value["$ref"].as_str() else {
            return value;
        };
        let target = reference
            .strip_prefix('#')
            .and_then(|pointer| self.root.pointer(pointer));
        assert!(target.is_some(), "{reference} leads nowhere");
        target.map_or(value, |target| self.resolve(target))
    }

    pub(super) fn components(&self) -> &Value {
        &self.root["components"]
    }

    /// The status and code of every error that is documented.
    pub(super) fn errors(&self) -> impl Iterator<Item = (u16, String)> {
        let known = self.operations().flat_map(|operation| {
            let statuses = operation.statuses().into_iter();
            statuses.filter_map(move |status| operation.response(status).map(|it| (status, it)))
        });
        let others = [404, 405].into_iter();
        let others = others.filter_map(|status| self.elsewhere(status).map(|it| (status, it)));
        known.chain(others).flat_map(move |(status, response)| {
            let examples = response["content"]["application/problem+json"]["examples"].as_object();
            let codes = examples.into_iter().flatten();
            codes.filter_map(move |(_, example)| {
                let code = self.resolve(example)["value"]["code"].as_str()?;
                Some((status, code.to_owned()))
            })
        })
    }

    /// The words of an enum among the schemas.
    pub(super) fn enumeration(&self, schema: &str) -> BTreeSet<String> {
        let words = self.components()["schemas"][schema]["enum"].as_array();
        words
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect()
    }

    fn paths(&self) -> impl Iterator<Item = (&str, &Value)> {
        let paths = self.root["paths"].as_object();
        paths
            .into_iter()
            .flatten()
            .map(|(path, item)| (path.as_str(), item))
    }

    fn operations_at<'d>(&'d self, path: &'d str) -> impl Iterator<Item = Operation<'d>> {
        let item = &self.root["paths"][path];
        METHODS.into_iter().filter_map(move |method| {
            item.get(method).map(|value| Operation {
                document: self,
                method,
                path,
                value,
            })
        })
    }

    /// The path as the document writes it. One without parameters goes before one with them.
    fn template(&self, path: &str) -> Option<&str> {
        let templates = self.paths().map(|(template, _)| template);
        templates
            .filter(|template| matches(template, path))
            .min_by_key(|found| found.contains('{'))
    }
}

impl<'d> Operation<'d> {
    /// Such as `GET /v1/me`.
    pub(super) fn name(&self) -> String {
        format!("{} {}", self.method_name(), self.path)
    }

    pub(super) fn statuses(&self) -> BTreeSet<u16> {
        let statuses = self.value["responses"].as_object().into_iter().flatten();
        statuses
            .filter_map(|(status, _)| status.parse().ok())
            .collect()
    }

    pub(super) fn response(&self, status: u16) -> Option<&'d Value> {
        let response = self.value["responses"].get(status.to_string());
        response.map(|found| self.document.resolve(found))
    }

    /// The request's body, if the operation takes one.
    pub(super) fn request_body(&self) -> Option<&'d Value> {
        self.value
            .get("requestBody")
            .map(|body| self.document.resolve(body))
    }

    pub(super) fn describe(&self) -> super::Operation {
        super::Operation {
            method: self.method_name(),
            path: self.path.to_owned(),
            secured: self.is_secured(),
            statuses: self.statuses(),
            gives_tokens: self.gives_tokens(),
            token_members: self.token_members(),
            request_examples: self.request_examples(),
            takes_query: self.takes_query(),
        }
    }

    fn method_name(&self) -> String {
        self.method.to_ascii_uppercase()
    }

    /// Whether every one of the ways in asks for a bearer token.
    fn is_secured(&self) -> bool {
        let ways = self
            .value
            .get("security")
            .or_else(|| self.document.root.get("security"));
        ways.and_then(Value::as_array).is_some_and(|ways| {
            !ways.is_empty() && ways.iter().all(|way| way.get("bearer").is_some())
        })
    }

    fn takes_query(&self) -> bool {
        let parameters = self.value["parameters"].as_array().into_iter().flatten();
        parameters
            .map(|parameter| self.document.resolve(parameter))
            .any(|parameter| parameter["in"] == "query")
    }

    fn request_examples(&self) -> Vec<Value> {
        let body = self.request_body().into_iter();
        body.flat_map(|body| self.examples(body)).cloned().collect()
    }

    fn gives_tokens(&self) -> bool {
        let answers = self.statuses().into_iter();
        answers
            .filter_map(|status| self.response(status))
            .flat_map(|response| self.examples(response))
            .any(|example| example.get("access_token").is_some())
    }

    fn token_members(&self) -> Vec<String> {
        let body = self.request_body().into_iter();
        let schema = body.map(|body| &body["content"]["application/json"]["schema"]);
        let members = schema.flat_map(|schema| {
            let members = self.document.resolve(schema)["properties"].as_object();
            members.into_iter().flatten().map(|(name, _)| name.clone())
        });
        members.filter(|name| name.ends_with("_token")).collect()
    }

    /// The JSON examples of a request's body or of a response.
    fn examples(&self, of: &'d Value) -> impl Iterator<Item = &'d Value> {
        let examples = of["content"]["application/json"]["examples"].as_object();
        examples
            .into_iter()
            .flatten()
            .map(|(_, example)| &self.document.resolve(example)["value"])
    }
}

fn matches(template: &str, path: &str) -> bool {
    let (mut expected, mut given) = (template.split('/'), path.split('/'));
    loop {
        match (expected.next(), given.next()) {
            (None, None) => return true,
            (Some(name), Some(part)) if name.starts_with('{') && !part.is_empty() => {}
            (Some(name), Some(part)) if name == part => {}
            _ => return false,
        }
    }
}
