/** The part of npm `fernet` 0.4 that the benchmark uses; the package has no types of its own. */
declare module 'fernet' {
  class Secret {
    constructor(secret: string);
  }
  class Token {
    constructor(options: { secret: Secret; token?: string; ttl?: number });
    encode(message: string): string;
    decode(): string;
  }
  const fernet: { Secret: typeof Secret; Token: typeof Token };
  export default fernet;
}
