// A page that signs people up, in and out with Keyward. The browser holds the refresh token, in a cookie that no script
// reads. The access token is in a variable of this module, and is gone with the page.

const keyward = document.querySelector("meta[name=keyward]").content;
const find = (id) => document.getElementById(id);

let accessToken;
let challengeToken;

/** What Keyward has refused (RFC 9457): `code` and `status` are for the page, the message is for people. */
class Refusal extends Error {
  constructor({ title, code, status, errors = [] }) {
    super([title, ...errors.map((error) => error.message)].join(" "));
    Object.assign(this, { code, status });
  }
}

async function send(path, body, { headers, credentials }) {
  const response = await fetch(keyward + path, {
    method: "POST",
    headers: { "Content-Type": "application/json", ...headers },
    body: JSON.stringify(body),
    credentials,
  });
  const answer = response.status === 204 ? undefined : await response.json();
  if (!response.ok) throw new Refusal(answer);
  return answer;
}

/** The calls that give, use and clear the cookie. */
const auth = (path, body) => send(`/v1/auth/${path}`, body, { credentials: "include" });

/** The calls that need the access token. It may have expired: then there is a new one. */
async function me(path, body) {
  const attempt = () =>
    send(`/v1/me/${path}`, body, { credentials: "omit", headers: { Authorization: `Bearer ${accessToken}` } });
  try {
    return await attempt();
  } catch (refusal) {
    if (refusal.status !== 401) throw refusal;
  }
  if (!(await refresh())) throw new Error("You have been signed out.");
  return attempt();
}

/** Trades the cookie for an access token, and tells whether there is one now. It may be done as often as one likes. */
async function refresh() {
  try {
    signedIn(await auth("refresh", {}));
    return true;
  } catch (refusal) {
    // 422: there is no cookie. 401: it does not work any more. Anything else passes, and says nothing of who is here.
    if (refusal.status !== 422 && refusal.status !== 401) throw refusal;
    signedOut();
    return false;
  }
}

function show(state) {
  for (const section of document.querySelectorAll("[data-when]")) section.hidden = section.dataset.when !== state;
  document.body.dataset.state = state;
}

function signedIn(answer) {
  accessToken = answer.access_token;
  challengeToken = undefined;
  find("who").textContent = answer.user.email;
  show("signed-in");
}

function signedOut() {
  accessToken = undefined;
  forgetEnrolment();
  find("backup-codes").replaceChildren();
  show("signed-out");
}

function forgetEnrolment() {
  find("verify").hidden = true;
  find("secret").textContent = "";
  for (const image of [find("qr-png"), find("qr-svg")]) image.removeAttribute("src");
}

/** Does it when a form is submitted, and shows what went wrong. */
function on(id, action) {
  find(id).addEventListener("submit", async (event) => {
    event.preventDefault();
    const fields = Object.fromEntries(new FormData(event.target, event.submitter));
    event.target.reset();
    await attempt(() => action(fields));
  });
}

async function attempt(action) {
  find("message").textContent = "";
  try {
    await action();
  } catch (error) {
    find("message").textContent = error.message;
  }
}

on("sign-in", async ({ way, email, password }) => {
  const answer = await auth(way, { email, password, token_transport: "cookie" });
  if (answer.status === "authenticated") return signedIn(answer);
  challengeToken = answer.challenge_token;
  show("second-step");
});

on("second-step", async ({ code }) => {
  const proof = /^\d{6}$/.test(code) ? { code } : { backup_code: code };
  try {
    signedIn(await auth("login/2fa", { challenge_token: challengeToken, ...proof }));
  } catch (refusal) {
    if (refusal.code === "challenge_expired") signedOut();
    throw refusal;
  }
});

on("enable", async ({ password }) => {
  const { secret, qr_code_png, qr_code_svg } = await me("2fa/enable", { password });
  find("secret").textContent = secret;
  find("qr-png").src = qr_code_png;
  // As an image, so that nothing in it could run.
  find("qr-svg").src = `data:image/svg+xml,${encodeURIComponent(qr_code_svg)}`;
  find("verify").hidden = false;
});

on("verify", async ({ code }) => {
  const { backup_codes } = await me("2fa/verify", { code });
  forgetEnrolment();
  const items = backup_codes.map((code) => Object.assign(document.createElement("li"), { textContent: code }));
  find("backup-codes").replaceChildren(...items);
});

on("log-out", async () => {
  await auth("logout", {});
  signedOut();
});

await attempt(refresh);
