//! JSON as the contract reads it: no member twice, and a body that does not fit its type is told where and why.
//!
//! `serde_json` alone lets the last of two equal members win and describes misfits in prose; here a body is first read
//! into a tree that keeps every member, then given to its type through a deserializer with typed errors.

use serde::de::value::{MapDeserializer, SeqDeserializer};
use serde::de::{Error as _, IntoDeserializer, MapAccess, SeqAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, de::DeserializeOwned, forward_to_deserialize_any};
use serde_path_to_error::Segment;

use super::problem::Problem;
use crate::domain::{Code, FieldCode, FieldError};

/// Reads a body into its type.
pub(super) fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    let tree: Json = serde_json::from_slice(body).map_err(|_| Code::MalformedJson)?;
    serde_path_to_error::deserialize(tree).map_err(|error| field_error(&error).into())
}

fn field_error(error: &serde_path_to_error::Error<Misfit>) -> FieldError {
    let Misfit {
        code,
        message,
        missing,
    } = error.inner();
    let mut pointer: String = error.path().iter().map(token).collect();
    if let Some(member) = missing {
        pointer.push_str(&escaped(member));
    }
    FieldError::new(*code, message).at(pointer)
}

/// One reference token of a JSON Pointer (RFC 6901).
fn token(segment: &Segment) -> String {
    match segment {
        Segment::Map { key } => escaped(key),
        Segment::Seq { index } => format!("/{index}"),
        Segment::Enum { .. } | Segment::Unknown => String::new(),
    }
}

pub(super) fn escaped(key: &str) -> String {
    format!("/{}", key.replace('~', "~0").replace('/', "~1"))
}

/// Any JSON value, with its members in order.
enum Json {
    Null,
    Bool(bool),
    Number(serde_json::Number),
    Text(String),
    Array(Vec<Json>),
    Object(Vec<(String, Json)>),
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Tree)
    }
}

struct Tree;

impl<'de> Visitor<'de> for Tree {
    type Value = Json;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(Json::Number(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Number(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Json, E> {
        serde_json::Number::from_f64(value)
            .map(Json::Number)
            .ok_or_else(|| E::custom("not finite"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Json, E> {
        Ok(Json::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Json, E> {
        Ok(Json::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json, A::Error> {
        let mut array = Vec::new();
        while let Some(item) = items.next_element()? {
            array.push(item);
        }
        Ok(Json::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Json, A::Error> {
        let mut names = std::collections::HashSet::new();
        let mut object = Vec::new();
        while let Some((name, value)) = members.next_entry::<String, Json>()? {
            if !names.insert(name.clone()) {
                return Err(A::Error::custom("a member twice"));
            }
            object.push((name, value));
        }
        Ok(Json::Object(object))
    }
}

impl IntoDeserializer<'_, Misfit> for Json {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for Json {
    type Error = Misfit;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match self {
            Self::Null => visitor.visit_unit(),
            Self::Bool(value) => visitor.visit_bool(value),
            Self::Number(number) => match (number.as_u64(), number.as_i64(), number.as_f64()) {
                (Some(value), _, _) => visitor.visit_u64(value),
                (None, Some(value), _) => visitor.visit_i64(value),
                (None, None, value) => visitor.visit_f64(value.unwrap_or_default()),
            },
            Self::Text(text) => visitor.visit_string(text),
            Self::Array(items) => visitor.visit_seq(SeqDeserializer::new(items.into_iter())),
            Self::Object(members) => visitor.visit_map(MapDeserializer::new(members.into_iter())),
        }
    }

    /// An optional member may be absent; `null` is a value, and fits only where the contract says so.
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        visitor.visit_some(self)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        // serde would also take the members of a struct from an array.
        match self {
            Self::Object(_) => self.deserialize_any(visitor),
            _ => Err(Misfit::new(
                FieldCode::WrongType,
                "Another type is expected: an object.",
            )),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        match self {
            Self::Text(word) => {
                visitor.visit_enum(IntoDeserializer::<Misfit>::into_deserializer(word))
            }
            _ => Err(Misfit::new(
                FieldCode::WrongType,
                "Another type is expected: a string.",
            )),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        newtype_struct seq tuple tuple_struct map identifier ignored_any
    }
}

/// Why a well-formed body does not fit its type.
#[derive(Debug)]
struct Misfit {
    code: FieldCode,
    message: String,
    /// The member that is missing: the path ends at its parent.
    missing: Option<&'static str>,
}

impl Misfit {
    fn new(code: FieldCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            missing: None,
        }
    }
}

impl serde::de::Error for Misfit {
    fn custom<T: std::fmt::Display>(_: T) -> Self {
        Self::new(FieldCode::InvalidFormat, "Not of the form expected.")
    }

    fn invalid_type(_: Unexpected<'_>, expected: &dyn serde::de::Expected) -> Self {
        Self::new(
            FieldCode::WrongType,
            format!("Another type is expected: {expected}."),
        )
    }

    fn unknown_variant(_: &str, expected: &'static [&'static str]) -> Self {
        Self::new(
            FieldCode::InvalidChoice,
            format!("One of: {}.", expected.join(", ")),
        )
    }

    fn unknown_field(_: &str, _: &'static [&'static str]) -> Self {
        // The path ends at it: a name is part of the path before it is judged.
        Self::new(FieldCode::UnknownMember, "There is no such member.")
    }

    fn missing_field(field: &'static str) -> Self {
        let misfit = Self::new(FieldCode::Required, "This member is required.");
        Self {
            missing: Some(field),
            ..misfit
        }
    }
}

impl std::fmt::Display for Misfit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Misfit {}
