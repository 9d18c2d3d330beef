//! Two-factor, from the QR code on the screen to the login that asks for it.

use std::io::Cursor;
use std::time::{SystemTime, UNIX_EPOCH};

use data_encoding::BASE32_NOPAD;
use png::{Decoder, Transformations};
use rqrr::PreparedImage;
use serde_json::Value;
use totp_lite::{Sha1, totp_custom};
use url::Url;

use crate::chromium::PAUSE;
use crate::keyward::PASSWORD;
use crate::world::World;

/// Seconds of a time step (RFC 6238).
const STEP: u64 = 30;

fn time() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs()
}

/// An authenticator app that has scanned a code.
struct Authenticator(Vec<u8>);

impl Authenticator {
    fn of(uri: &str) -> Self {
        let uri = Url::parse(uri).unwrap();
        let secret = uri
            .query_pairs()
            .find(|(name, _)| name == "secret")
            .unwrap()
            .1;
        Self(BASE32_NOPAD.decode(secret.as_bytes()).unwrap())
    }

    fn code_at(&self, time: u64) -> String {
        totp_custom::<Sha1>(STEP, 6, &self.0, time)
    }
}

/// What a camera reads off the screen.
fn scan(screenshot: &[u8]) -> String {
    let mut decoder = Decoder::new(Cursor::new(screenshot));
    decoder.set_transformations(Transformations::normalize_to_color8());
    let mut reader = decoder.read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let frame = reader.next_frame(&mut pixels).unwrap();
    let samples = frame.color_type.samples();
    let (width, height) = (frame.width as usize, frame.height as usize);
    let at = |x, y| pixels[y * frame.line_size + x * samples];
    let mut image = PreparedImage::prepare_from_greyscale(width, height, at);
    let grids = image.detect_grids();
    assert_eq!(grids.len(), 1, "one code on the screen");
    grids[0].decode().unwrap().1
}

/// Turns it on. The code is the one before the current one, so that the current one is still good for a login.
async fn turn_on(world: &World) -> (Authenticator, Vec<String>) {
    world
        .browser
        .type_into("#enable [name=password]", PASSWORD)
        .await;
    world.browser.press("#enable button").await;
    let drawn =
        "return ['qr-png', 'qr-svg'].every((id) => document.getElementById(id).naturalWidth > 0)";
    world.browser.until(drawn).await;
    let uri = scan(&world.browser.picture("#qr-png").await);
    assert_eq!(scan(&world.browser.picture("#qr-svg").await), uri);
    let app = Authenticator::of(&uri);
    while time() % STEP > STEP / 2 {
        tokio::time::sleep(PAUSE).await;
    }
    world
        .browser
        .type_into("#verify [name=code]", &app.code_at(time() - STEP))
        .await;
    world.browser.press("#verify button").await;
    let codes = "const items = [...document.querySelectorAll('#backup-codes li')];
        return items.length > 0 && items.map((item) => item.textContent)";
    let codes = world.browser.until(codes).await;
    let text = |code: &Value| code.as_str().unwrap().to_owned();
    (app, codes.as_array().unwrap().iter().map(text).collect())
}

async fn log_in(world: &World, code: &str) {
    world.give_password("login").await;
    world.sees_second_step().await;
    world
        .browser
        .type_into("#second-step [name=code]", code)
        .await;
    world.browser.press("#second-step button").await;
}

#[actix_web::test]
async fn two_factor_is_turned_on_from_the_screen_and_then_asked_for() {
    let world = World::start().await;
    world.sign_up().await;
    let (app, backup_codes) = turn_on(&world).await;
    assert_eq!(backup_codes.len(), 10);
    world.log_out().await;
    log_in(&world, &app.code_at(time())).await;
    world.sees_signed_in().await;
    world.browser.reload().await;
    world.sees_signed_in().await;
    world.log_out().await;
    log_in(&world, &backup_codes[0]).await;
    world.sees_signed_in().await;
    world.log_out().await;
    // It has been used, and opens nothing any more.
    log_in(&world, &backup_codes[0]).await;
    world
        .browser
        .until("return document.getElementById('message').textContent !== ''")
        .await;
    world.sees_second_step().await;
    world.browser.reload().await;
    world.sees_signed_out().await;
}
