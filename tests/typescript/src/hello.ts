import { createRemoteJWKSet, jwtVerify } from "jose";
import createClient from "openapi-fetch";
import type { paths } from "./keyward.js";

const url = process.argv[2] ?? "http://localhost:8080";
const keyward = createClient<paths>({ baseUrl: url });
const { data, error } = await keyward.POST("/v1/auth/signup", {
  body: { email: `dora${Date.now()}@example.com`, password: "tall cliff moth ribbon" },
});
if (error) throw new Error(error.code === "too_many_attempts" ? `again in ${error.retry_after} s` : error.code);

// From here on as any service would, which has only the access token.
const keys = createRemoteJWKSet(new URL("/.well-known/jwks.json", url));
const { payload } = await jwtVerify(data.access_token, keys, {
  issuer: "http://localhost:8080",
  audience: "http://localhost:8080",
  algorithms: ["ES256", "EdDSA"],
  typ: "at+jwt",
  requiredClaims: ["sub", "sid", "exp"],
});
console.log(`${payload.sub} is signed in; the token is good until ${new Date(payload.exp! * 1000).toISOString()}`);
