//! What a new account is made of: everything typed, judged together, so that all that is wrong is said at once.

use super::{DisplayName, Email, FieldErrors, Locale, Password, PasswordPolicy, Refusal, Username};

/// A filled-in form, not yet judged.
#[derive(Clone)]
pub struct SignUpForm {
    /// The address, as typed.
    pub email: String,
    /// The password, as typed.
    pub password: String,
    /// The username, if one is wanted.
    pub username: Option<String>,
    /// The name to show, if any.
    pub display_name: Option<String>,
    /// The language preferred, if any.
    pub locale: Option<String>,
}

/// An account that may be made.
#[derive(Debug)]
pub struct NewAccount {
    /// The address signed in with.
    pub email: Email,
    /// The password that was accepted.
    pub password: Password,
    /// The name signed in with.
    pub username: Option<Username>,
    /// The name shown.
    pub display_name: Option<DisplayName>,
    /// The language preferred.
    pub locale: Option<Locale>,
}

impl NewAccount {
    /// Judges a form by the rules of its members: tens of milliseconds of work, for the password's strength.
    pub fn judge(form: SignUpForm, policy: &PasswordPolicy) -> Result<Self, Refusal> {
        let mut errors = FieldErrors::default();
        let email = errors.keep("/email", Email::parse(&form.email));
        let username = form.username.as_deref().map(Username::parse).transpose();
        let username = errors.keep("/username", username);
        let display_name = form
            .display_name
            .as_deref()
            .map(DisplayName::parse)
            .transpose();
        let display_name = errors.keep("/display_name", display_name);
        let locale = errors.keep(
            "/locale",
            form.locale.as_deref().map(Locale::parse).transpose(),
        );
        let password = {
            let username = username.iter().flatten().map(Username::as_str);
            let names = display_name
                .iter()
                .flatten()
                .map(DisplayName::as_str)
                .chain(username);
            let context: Vec<&str> = names.chain(email.as_ref().map(Email::typed)).collect();
            errors.keep("/password", policy.accept(form.password, &context))
        };
        match (email, password, username, display_name, locale) {
            (Some(email), Some(password), Some(username), Some(display_name), Some(locale)) => {
                Ok(Self {
                    email,
                    password,
                    username,
                    display_name,
                    locale,
                })
            }
            _ => Err(errors.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_wrong_is_said_at_once() {
        let form = SignUpForm {
            email: "nobody".into(),
            password: "short".into(),
            username: Some("!".into()),
            display_name: Some("\0".into()),
            locale: Some("?".into()),
        };
        let policy = PasswordPolicy {
            min_length: 12,
            min_strength: 3,
            history: 5,
        };
        let refusal = NewAccount::judge(form, &policy).unwrap_err();
        let pointers: Vec<_> = refusal
            .fields
            .iter()
            .map(|field| field.pointer.as_str())
            .collect();
        assert_eq!(
            pointers,
            [
                "/email",
                "/username",
                "/display_name",
                "/locale",
                "/password"
            ]
        );
    }
}
