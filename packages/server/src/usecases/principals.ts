/** What the edges of the service need to know of authentication. */
export { type JwtSettings, jwtSettings, signJwt, verifyJwt } from '../auth/jwt.js';
export { MANAGEMENT_SCOPES, type Principal } from '../auth/principal.js';
