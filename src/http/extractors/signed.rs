//! The caller, and then the body: nobody's body is read who is not known.

use std::future::Future;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use serde::de::DeserializeOwned;

use super::Body;
use crate::http::problem::Problem;
use crate::services::Caller;

/// A body from somebody who is signed in. Asked for one by one, the framework would read both at once, and cut off
/// the look-up of the session where the body is wrong.
pub(crate) struct Signed<T>(pub(crate) Caller, pub(crate) T);

impl<T: DeserializeOwned + 'static> FromRequest for Signed<T> {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let caller = Caller::from_request(request, payload);
        let body = Body::from_request(request, payload);
        Box::pin(async move {
            let caller = caller.await?;
            let Body(body) = body.await?;
            Ok(Self(caller, body))
        })
    }
}
