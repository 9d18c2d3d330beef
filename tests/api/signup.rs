//! `POST /v1/auth/signup`.

use serde_json::json;

use crate::support::{PASSWORD, TestApp};

#[actix_web::test]
async fn signing_up_signs_in() {
    let app = TestApp::start().await;
    let ann = app.sign_up("Ann@Example.com").await;
    assert_eq!(ann.user["email"], "Ann@Example.com");
    assert_eq!(ann.me().await.is(200), ann.user);
    assert_eq!(app.events().await, ["account_created", "logged_in"]);
    app.post(
        "/v1/auth/signup",
        json!({ "email": "ann@example.COM", "password": PASSWORD }),
    )
    .await
    .refused(409, "email_taken");
}
