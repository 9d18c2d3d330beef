// Keyward for a page. The refresh token is in a cookie that no script reads. The access token is in a variable here, and
// gone with the page. It is safe with many tabs: they take turns, and each hears when somebody signs in or out.

/** `onChange` is told when another tab has signed somebody in or out, or a session has ended. */
export function createKeyward(url, onChange = () => {}) {
  const channel = new BroadcastChannel(`keyward ${url}`);
  let accessToken;
  const forget = () => {
    accessToken = undefined;
    onChange();
  };
  channel.onmessage = forget;

  /** What gives, uses or clears the cookie waits for its turn in all tabs, so that no answer overtakes another. */
  const auth = (path, body, isNeeded = () => true) =>
    navigator.locks.request(`keyward ${url}`, async () => {
      if (!isNeeded()) return;
      const response = await fetch(`${url}/v1/auth/${path}`, {
        method: "POST",
        credentials: "include",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(20_000),
      });
      const answer = response.status === 204 ? {} : await response.json();
      if (!response.ok) throw Object.assign(new Error(answer.title), answer);
      accessToken = answer.access_token;
      if (path !== "refresh") channel.postMessage(path);
      return answer;
    });

  /** Asks for a new access token, unless there is another than this by the time it is our turn. */
  const refresh = (old) =>
    auth("refresh", {}, () => accessToken === old).catch((problem) => {
      // 422: there is no cookie. 401: it does not work any more. Anything else passes by itself.
      if (problem.status !== 422 && problem.status !== 401) throw problem;
      if (old) forget();
    });

  return {
    signUp: (body) => auth("signup", { ...body, token_transport: "cookie" }),
    /** Look at `status` in the answer: there may be a second step. */
    logIn: (body) => auth("login", { ...body, token_transport: "cookie" }),
    completeLogIn: (body) => auth("login/2fa", body),
    logOut: () => auth("logout", {}),
    /** `fetch` as who is signed in, of Keyward and of your own services: they get the access token. */
    async fetch(address, init = {}) {
      const send = () => {
        const headers = new Headers(init.headers);
        if (accessToken) headers.set("Authorization", `Bearer ${accessToken}`);
        return fetch(address, { ...init, headers });
      };
      const old = accessToken;
      const response = old && (await send());
      if (response && response.status !== 401) return response;
      await refresh(old);
      return send();
    },
  };
}
