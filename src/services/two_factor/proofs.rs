//! What is asked for again before something that matters: the password, and the second factor where there is one.

use super::TwoFactor;
use crate::domain::{ClientInfo, Code, FieldError, Password, Proven, SecondFactor};
use crate::repositories::Tx;
use crate::services::codes::{Codes, RightCode};
use crate::services::{Caller, Error, Result};

/// What is asked for again before something that matters, as typed.
pub struct Proofs {
    /// The password.
    pub password: Password,
    /// The second factor, where there is one.
    pub code: Option<SecondFactor>,
}

/// Proofs that are right. The code is not spent yet.
pub(in crate::services) struct Proved {
    password: Password,
    proven: Proven,
    code: Option<RightCode>,
}

impl TwoFactor {
    /// Compares the password, and the code where there is a second factor.
    pub(in crate::services) async fn prove(
        &self,
        caller: &Caller,
        proofs: Proofs,
        client: &ClientInfo,
    ) -> Result<Proved> {
        let Proofs { password, code } = proofs;
        let proven = self
            .passwords
            .prove(caller, password.clone(), client)
            .await?;
        let code = match (proven.two_factor_enabled_at, code) {
            (None, _) => None,
            (Some(_), None) => return Err(FieldError::code_required().at("/code").into()),
            (Some(_), Some(code)) => Some(self.codes.prove(caller, &code, client).await?),
        };
        Ok(Proved {
            password,
            proven,
            code,
        })
    }

    /// A transaction in which the code was spent and `write` was done with what is proven.
    pub(in crate::services) async fn with_proofs(
        &self,
        caller: &Caller,
        proved: Proved,
        client: &ClientInfo,
        write: impl AsyncFn(&mut Tx, &Proven) -> Result<bool>,
    ) -> Result<Tx> {
        let Proved {
            password,
            proven,
            code,
        } = proved;
        let spend_and_write = async |tx: &mut Tx, proven: &Proven| -> Result<bool> {
            match &code {
                None if proven.two_factor_enabled_at.is_some() => {
                    return Err(FieldError::code_required().at("/code").into());
                }
                Some(code) if !Codes::spend(tx, code).await? => return Err(Code::WrongCode.into()),
                _ => {}
            }
            if let Some(kind) = code.as_ref().and_then(RightCode::event) {
                let (user, session) = (Some(caller.user().id), Some(caller.session().id));
                let now = self.seams.clock.now();
                let event = self.seams.event(kind, user, session, client, now);
                tx.security_events().add(&event).await?;
            }
            write(tx, proven).await
        };
        let outcome = self
            .passwords
            .with_proof(caller, password, client, proven, spend_and_write)
            .await;
        match outcome {
            Ok((tx, _)) => Ok(tx),
            Err(Error::Refused(refusal)) if refusal.code == Code::WrongCode => {
                self.codes.refuse(caller, client).await
            }
            Err(error) => Err(error),
        }
    }

    /// The same, where without a second factor there is nothing to do.
    pub(super) async fn prove_both(
        &self,
        caller: &Caller,
        proofs: Proofs,
        client: &ClientInfo,
    ) -> Result<Proved> {
        let proved = self.prove(caller, proofs, client).await?;
        if proved.code.is_none() {
            return Err(Code::TwoFactorNotEnabled.into());
        }
        Ok(proved)
    }
}
