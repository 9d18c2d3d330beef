// Keyward for a program that holds the refresh token itself (`token_transport: "body"`), such as a phone or a server.
// The types are made from openapi.yaml: a path, a member or a code that is misspelt does not compile.

import createClient from "openapi-fetch";
import type { components, paths } from "./keyward.js";

export type Authenticated = components["schemas"]["Authenticated"];
export type Problem = components["schemas"]["Problem"];

export class Session {
  /** Calls that need nobody to be signed in. */
  readonly open;
  /** Calls as who is signed in: with the access token, which is refreshed once where it has expired. */
  readonly me;
  #tokens: Authenticated | undefined;
  #refreshing: Promise<boolean> | undefined;

  constructor(baseUrl: string) {
    this.open = createClient<paths>({ baseUrl });
    this.me = createClient<paths>({ baseUrl, fetch: (request) => this.#send(request) });
  }

  /** Takes over what signing up, logging in and refreshing answer. */
  signedIn(tokens: Authenticated): void {
    this.#tokens = tokens;
  }

  /** Tells whether there is a new access token. Who asks meanwhile gets the same answer. */
  refresh(): Promise<boolean> {
    this.#refreshing ??= this.#refresh().finally(() => (this.#refreshing = undefined));
    return this.#refreshing;
  }

  async #refresh(): Promise<boolean> {
    const refreshToken = this.#tokens?.refresh_token;
    if (refreshToken === undefined) return false;
    const { data, error } = await this.open.POST("/v1/auth/refresh", { body: { refresh_token: refreshToken } });
    if (data) this.signedIn(data);
    // Only this code means that somebody has to sign in again. Any other passes, and the token is kept.
    else if (error.code === "refresh_token_invalid") this.#tokens = undefined;
    return data !== undefined;
  }

  async #send(request: Request): Promise<Response> {
    const again = request.clone();
    const answer = await fetch(this.#signed(request));
    if (answer.status !== 401 || !(await this.refresh())) return answer;
    return fetch(this.#signed(again));
  }

  #signed(request: Request): Request {
    if (this.#tokens) request.headers.set("Authorization", `Bearer ${this.#tokens.access_token}`);
    return request;
  }
}
