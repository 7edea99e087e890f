/*
 * Fernet in C on OpenSSL, as fast as its documented interfaces go without tricks of our own: contexts that keep their key,
 * random bytes from a pool, base64 by table. The benchmark's limit. Reads commands, answers each with a line:
 *
 *     encrypt|decrypt|rotate BYTES CALLS   →  nanoseconds of processor time a call
 *     seal TEXT  →  a token      open TOKEN  →  its text, or "refused"
 */
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/core_names.h>
#include <openssl/rand.h>
#include <openssl/crypto.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MAX_BYTES = 1 << 20, TOKENS = 64 };
static EVP_CIPHER_CTX *cipher, *decipher;
static EVP_MAC_CTX *mac;
static unsigned char key[32];
static unsigned char pool[4096];
static size_t pool_at = sizeof pool;

static void fail(const char *what) { fprintf(stderr, "openssl.c: %s failed\n", what); exit(1); }

static void random_iv(unsigned char *iv) {
  if (pool_at + 16 > sizeof pool) {
    if (RAND_bytes(pool, sizeof pool) != 1) fail("RAND_bytes");
    pool_at = 0;
  }
  memcpy(iv, pool + pool_at, 16);
  pool_at += 16;
}

static char pairs[4096][2];
static uint8_t sextets[256];
static void make_tables(void) {
  const char *alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  memset(sextets, 255, sizeof sextets);
  for (int i = 0; i < 64; i++) sextets[(unsigned char)alphabet[i]] = (uint8_t)i;
  for (int i = 0; i < 4096; i++) { pairs[i][0] = alphabet[i >> 6]; pairs[i][1] = alphabet[i & 63]; }
}

static size_t encode(char *out, const unsigned char *in, size_t length) {
  char *start = out;
  for (; length >= 3; in += 3, length -= 3, out += 4) {
    unsigned bits = (unsigned)in[0] << 16 | in[1] << 8 | in[2];
    memcpy(out, pairs[bits >> 12], 2);
    memcpy(out + 2, pairs[bits & 4095], 2);
  }
  if (length) {
    unsigned bits = (unsigned)in[0] << 16 | (length == 2 ? in[1] << 8 : 0);
    memcpy(out, pairs[bits >> 12], 2);
    out[2] = length == 2 ? pairs[bits & 4095][0] : '=';
    out[3] = '=';
    out += 4;
  }
  *out = 0;
  return (size_t)(out - start);
}

/* Strict: the number of bytes, or -1. */
static long decode(unsigned char *out, const char *text, size_t length) {
  if (length % 4 || !length) return -1;
  size_t pads = text[length - 1] != '=' ? 0 : text[length - 2] != '=' ? 1 : 2;
  unsigned char *start = out;
  uint8_t seen = 0;
  size_t whole = length - (pads ? 4 : 0);
  const unsigned char *in = (const unsigned char *)text;
  for (size_t i = 0; i < whole; i += 4, out += 3) {
    uint8_t a = sextets[in[i]], b = sextets[in[i + 1]], c = sextets[in[i + 2]], d = sextets[in[i + 3]];
    seen |= a | b | c | d;
    unsigned bits = (unsigned)a << 18 | b << 12 | c << 6 | d;
    out[0] = (unsigned char)(bits >> 16); out[1] = (unsigned char)(bits >> 8); out[2] = (unsigned char)bits;
  }
  if (pads) {
    uint8_t a = sextets[in[whole]], b = sextets[in[whole + 1]], c = pads == 1 ? sextets[in[whole + 2]] : 0;
    seen |= a | b | c;
    if (pads == 1 ? c & 3 : b & 15) return -1;
    *out++ = (unsigned char)(a << 2 | b >> 4);
    if (pads == 1) *out++ = (unsigned char)(b << 4 | c >> 2);
  }
  return seen & 0xc0 ? -1 : out - start;
}

static void hmac(unsigned char *out, const unsigned char *data, size_t length) {
  size_t made;
  if (!EVP_MAC_init(mac, NULL, 0, NULL) || !EVP_MAC_update(mac, data, length) || !EVP_MAC_final(mac, out, &made, 32)) fail("HMAC");
}

static unsigned char bytes[MAX_BYTES + 128], plain[MAX_BYTES + 128];

static size_t seal(char *token, const unsigned char *data, size_t length, const unsigned char *seconds) {
  bytes[0] = 0x80;
  memcpy(bytes + 1, seconds, 8);
  random_iv(bytes + 9);
  int n, m;
  if (!EVP_EncryptInit_ex(cipher, NULL, NULL, NULL, bytes + 9) || !EVP_EncryptUpdate(cipher, bytes + 25, &n, data, (int)length) ||
      !EVP_EncryptFinal_ex(cipher, bytes + 25 + n, &m)) fail("encryption");
  size_t end = 25 + (size_t)(n + m);
  hmac(bytes + end, bytes, end);
  return encode(token, bytes, end + 32);
}

/* The number of bytes in `plain`, or -1; the token's time to `seconds`. */
static long open_token(const char *token, size_t length, unsigned char *seconds) {
  unsigned char expected[32];
  long got = decode(bytes, token, length);
  if (got < 73 || (got - 57) % 16) return -1;
  size_t end = (size_t)got - 32;
  hmac(expected, bytes, end);
  if (CRYPTO_memcmp(expected, bytes + end, 32) || bytes[0] != 0x80) return -1;
  memcpy(seconds, bytes + 1, 8);
  int n, m;
  if (!EVP_DecryptInit_ex(decipher, NULL, NULL, NULL, bytes + 9) ||
      !EVP_DecryptUpdate(decipher, plain, &n, bytes + 25, (int)(end - 25)) || !EVP_DecryptFinal_ex(decipher, plain + n, &m)) return -1;
  return n + m;
}

static void now(unsigned char *seconds) {
  uint64_t value = (uint64_t)time(NULL);
  for (int i = 0; i < 8; i++) seconds[i] = (unsigned char)(value >> (56 - 8 * i));
}

static double cpu_ns(void) {
  struct timespec spec;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &spec);
  return (double)spec.tv_sec * 1e9 + (double)spec.tv_nsec;
}

static double measure(const char *verb, size_t size, long calls) {
  static char *tokens[TOKENS], *made;
  static size_t lengths[TOKENS], made_for;
  static unsigned char *data;
  unsigned char seconds[8];
  now(seconds);
  if (made_for != size) {
    if (!made) made = malloc(MAX_BYTES * 2);
    if (!data) data = malloc(MAX_BYTES);
    memset(data, 'x', size);
    for (int i = 0; i < TOKENS; i++) {
      tokens[i] = realloc(tokens[i], (size + 128) * 4 / 3 + 8);
      lengths[i] = seal(tokens[i], data, size, seconds);
    }
    made_for = size;
  }
  double start = cpu_ns();
  for (long i = 0; i < calls; i++) {
    if (*verb == 'e') {
      now(seconds);
      seal(made, data, size, seconds);
    } else {
      long length = open_token(tokens[i % TOKENS], lengths[i % TOKENS], seconds);
      if (length != (long)size) fail("opening");
      if (*verb == 'r') seal(made, plain, (size_t)length, seconds);
    }
  }
  return (cpu_ns() - start) / (double)calls;
}

int main(int argc, char **argv) {
  make_tables();
  if (argc != 2 || decode(key, argv[1], strlen(argv[1])) != 32) fail("reading the key");
  cipher = EVP_CIPHER_CTX_new();
  decipher = EVP_CIPHER_CTX_new();
  EVP_MAC *algorithm = EVP_MAC_fetch(NULL, "HMAC", NULL);
  mac = EVP_MAC_CTX_new(algorithm);
  char digest[] = "SHA256";
  OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0), OSSL_PARAM_construct_end()};
  if (!EVP_EncryptInit_ex(cipher, EVP_aes_128_cbc(), NULL, key + 16, key) ||
      !EVP_DecryptInit_ex(decipher, EVP_aes_128_cbc(), NULL, key + 16, key) || !EVP_MAC_init(mac, key, 16, params)) fail("setting up");
  printf("%s\n", OpenSSL_version(OPENSSL_VERSION));
  fflush(stdout);
  static char line[4096], token[8192];
  while (fgets(line, sizeof line, stdin)) {
    line[strcspn(line, "\n")] = 0;
    char verb[16];
    size_t size;
    long calls;
    unsigned char seconds[8];
    if (!strncmp(line, "seal ", 5)) {
      now(seconds);
      seal(token, (unsigned char *)line + 5, strlen(line + 5), seconds);
      printf("%s\n", token);
    } else if (!strncmp(line, "open ", 5)) {
      long length = open_token(line + 5, strlen(line + 5), seconds);
      if (length < 0) printf("refused\n");
      else printf("%.*s\n", (int)length, plain);
    } else if (sscanf(line, "%15s %zu %ld", verb, &size, &calls) == 3) {
      printf("%f\n", measure(verb, size, calls));
    }
    fflush(stdout);
  }
  return 0;
}
