// What every client of Keyward does, against the one whose URL is given: signs up, refreshes, turns two-factor on, logs
// in in two steps, looks at the sessions, logs out. Ends with an error where anything is not as the contract says.

import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { TOTP, URI } from "otpauth";
import { Session, type Problem } from "./session.js";

const [, , url, accessTokenLife] = process.argv;
assert(url && accessTokenLife, "the URL of a Keyward and its access tokens' seconds are the arguments");

const email = "ann@example.com";
const password = "violet tandem quarry 72";
const STEP = 30_000;

/** The body of a success. */
function good<D, E>(answer: { data?: D; error?: E; response: Response }): D {
  assert(answer.response.ok && answer.data !== undefined, JSON.stringify(answer.error));
  return answer.data;
}

/** Why it was refused: one of the codes that the contract has for the operation, or the program does not compile. */
function refused<C extends Problem["code"]>(answer: { error?: { code?: C } }, code: NoInfer<C>): void {
  assert.equal(answer.error?.code, code);
}

/** Never called: it compiles only where what is below is found to be wrong. */
export async function mistakes({ open }: Session): Promise<void> {
  // @ts-expect-error: signing up has no such code.
  refused(await open.POST("/v1/auth/signup", { body: { email, password } }), "session_not_found");
  // @ts-expect-error: the member is misspelt.
  await open.POST("/v1/auth/signup", { body: { email, passwrod: password } });
  const login = good(await open.POST("/v1/auth/login", { body: { email, password } }));
  // @ts-expect-error: there is no access token before `status` has been looked at.
  login.access_token;
}

async function signUp(phone: Session): Promise<void> {
  const short = await phone.open.POST("/v1/auth/signup", { body: { email, password: "short" } });
  refused(short, "validation_failed");
  assert.deepEqual(short.error?.code === "validation_failed" && short.error.errors?.[0]?.params, { min: 12 });
  phone.signedIn(good(await phone.open.POST("/v1/auth/signup", { body: { email, password, display_name: "Ann" } })));
  refused(await phone.open.POST("/v1/auth/signup", { body: { email, password } }), "email_taken");
}

async function staySignedIn(phone: Session): Promise<void> {
  assert.equal(good(await phone.me.GET("/v1/me")).email, email);
  await sleep((Number(accessTokenLife) + 1) * 1000);
  // The access token has expired. Both calls go through, after one refresh.
  const both = [phone.me.GET("/v1/me"), phone.me.PATCH("/v1/me", { body: { locale: "en-GB" } })] as const;
  const [before, after] = await Promise.all(both);
  assert.equal(good(before).display_name, "Ann");
  assert.equal(good(after).locale, "en-GB");
  assert.ok(await phone.refresh());
}

/** The code that the app has just ceased to show, which is good for one step more. The next one is left for the login. */
async function codeBefore(app: TOTP): Promise<string> {
  const left = STEP - (Date.now() % STEP);
  if (left < 5_000) await sleep(left);
  return app.generate({ timestamp: Date.now() - STEP });
}

/** Gives what the authenticator app knows then, and a backup code. */
async function turnTwoFactorOn(phone: Session): Promise<[TOTP, string]> {
  refused(await phone.me.POST("/v1/me/2fa/enable", { body: { password: "another one" } }), "wrong_password");
  const enrolment = good(await phone.me.POST("/v1/me/2fa/enable", { body: { password } }));
  const app = URI.parse(enrolment.otpauth_uri);
  assert(app instanceof TOTP && app.secret.base32 === enrolment.secret);
  const { backup_codes } = good(await phone.me.POST("/v1/me/2fa/verify", { body: { code: await codeBefore(app) } }));
  assert.equal(backup_codes.length, 10);
  assert.equal(good(await phone.me.GET("/v1/me/2fa")).enabled, true);
  return [app, backup_codes[0]!];
}

/** Logs in in two steps. */
async function logIn(laptop: Session, proof: { code: string } | { backup_code: string }): Promise<void> {
  const first = good(await laptop.open.POST("/v1/auth/login", { body: { email, password } }));
  // In both answers there is `status`, and it says which one it is.
  assert(first.status === "two_factor_required");
  const challenge = { challenge_token: first.challenge_token };
  const wrong = await laptop.open.POST("/v1/auth/login/2fa", { body: { ...challenge, backup_code: "k7wn-3mfx-0q2d-9trb-h5ve-p8cz" } });
  refused(wrong, "invalid_code");
  laptop.signedIn(good(await laptop.open.POST("/v1/auth/login/2fa", { body: { ...challenge, ...proof } })));
}

async function endSessions(phone: Session, laptop: Session): Promise<void> {
  const { items } = good(await phone.me.GET("/v1/me/sessions"));
  assert.deepEqual(items.map((session) => session.current).sort(), [false, false, true]);
  assert.deepEqual(items[0]?.auth_methods, ["pwd", "otp"]);
  assert.equal(good(await laptop.me.DELETE("/v1/me/sessions/others")).ended, 2);
  refused(await phone.me.GET("/v1/me"), "session_ended");
  assert.equal((await laptop.me.POST("/v1/auth/logout")).response.status, 204);
  refused(await laptop.me.GET("/v1/me"), "session_ended");
}

const [phone, laptop, tablet] = [new Session(url), new Session(url), new Session(url)];
await signUp(phone);
await staySignedIn(phone);
const [app, backupCode] = await turnTwoFactorOn(phone);
await logIn(laptop, { code: app.generate() });
await logIn(tablet, { backup_code: backupCode });
await endSessions(phone, laptop);
console.log("done");
