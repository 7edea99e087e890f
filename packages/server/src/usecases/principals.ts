/** What the edges of the service need to know of authentication. */

export { API_KEY_ANYWHERE } from '../auth/api-key-format.js';
export { IpAllowList } from '../auth/ip-allow-list.js';
export { type JwtSettings, type JwtVerifier, jwtSettings, jwtVerifier, signJwt } from '../auth/jwt.js';
export { MANAGEMENT_SCOPES, type ManagementScope, missingScopeOf, type Principal } from '../auth/principal.js';
