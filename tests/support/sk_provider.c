/*
 * An authenticator in software, as OpenSSH loads one (its sk-api.h, version 10): the key handle is the private key. The flags
 * it signs with are told by the variable UGATE_TEST_SK_FLAGS: 1 somebody touched it, 4 it knows who. Linked with libcrypto,
 * whose functions are declared here, so that no headers of it have to be there.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct sk_enroll_response {
  uint8_t flags;
  uint8_t *public_key; size_t public_key_len;
  uint8_t *key_handle; size_t key_handle_len;
  uint8_t *signature; size_t signature_len;
  uint8_t *attestation_cert; size_t attestation_cert_len;
  uint8_t *authdata; size_t authdata_len;
};
struct sk_sign_response {
  uint8_t flags;
  uint32_t counter;
  uint8_t *sig_r; size_t sig_r_len;
  uint8_t *sig_s; size_t sig_s_len;
};

enum { ECDSA = 0, ED25519 = 1, FAILED = -1, UNSUPPORTED = -2 };
enum { NID_P256 = 415, NID_ED25519 = 1087, OCTETS = 32, SIGNATURE = 64 };

int RAND_bytes(unsigned char *, int);
unsigned char *SHA256(const unsigned char *, size_t, unsigned char *);
void *EVP_PKEY_new_raw_private_key(int, void *, const unsigned char *, size_t);
int EVP_PKEY_get_raw_public_key(void *, unsigned char *, size_t *);
void *EVP_MD_CTX_new(void);
int EVP_DigestSignInit(void *, void *, void *, void *, void *);
int EVP_DigestSign(void *, unsigned char *, size_t *, const unsigned char *, size_t);
void *EC_KEY_new_by_curve_name(int);
int EC_KEY_generate_key(void *);
size_t EC_KEY_key2buf(void *, int, unsigned char **, void *);
size_t EC_KEY_priv2oct(void *, unsigned char *, size_t);
int EC_KEY_oct2priv(void *, const unsigned char *, size_t);
void *ECDSA_do_sign(const unsigned char *, int, void *);
void ECDSA_SIG_get0(void *, const void **, const void **);
int BN_num_bits(const void *);
int BN_bn2bin(const void *, unsigned char *);

uint32_t sk_api_version(void) { return 0x000a0000; }

int sk_enroll(uint32_t alg, const uint8_t *challenge, size_t challenge_len, const char *application, uint8_t flags,
              const char *pin, void **options, struct sk_enroll_response **answer) {
  struct sk_enroll_response *made = calloc(1, sizeof *made);
  uint8_t *handle = calloc(1, OCTETS);
  if (alg == ED25519) {
    RAND_bytes(handle, OCTETS);
    made->public_key_len = OCTETS;
    made->public_key = calloc(1, OCTETS);
    void *key = EVP_PKEY_new_raw_private_key(NID_ED25519, NULL, handle, OCTETS);
    if (!EVP_PKEY_get_raw_public_key(key, made->public_key, &made->public_key_len)) return FAILED;
  } else if (alg == ECDSA) {
    void *key = EC_KEY_new_by_curve_name(NID_P256);
    unsigned char *point = NULL;
    if (!EC_KEY_generate_key(key) || !EC_KEY_priv2oct(key, handle, OCTETS)) return FAILED;
    size_t size = EC_KEY_key2buf(key, 4, &point, NULL);
    made->public_key = malloc(size); /* OpenSSH frees it: it has to be of libc */
    memcpy(made->public_key, point, size);
    made->public_key_len = size;
  } else return UNSUPPORTED;
  made->flags = flags;
  made->key_handle = handle;
  made->key_handle_len = OCTETS;
  made->signature = calloc(1, 1);
  made->signature_len = 1;
  *answer = made;
  return 0;
}

/* A number without the zeros in front. */
static uint8_t *octets(const void *number, size_t *size) {
  *size = (BN_num_bits(number) + 7) / 8;
  uint8_t *bytes = calloc(1, *size);
  BN_bn2bin(number, bytes);
  return bytes;
}

int sk_sign(uint32_t alg, const uint8_t *data, size_t data_len, const char *application, const uint8_t *handle,
            size_t handle_len, uint8_t flags, const char *pin, void **options, struct sk_sign_response **answer) {
  const char *told = getenv("UGATE_TEST_SK_FLAGS");
  struct sk_sign_response *made = calloc(1, sizeof *made);
  uint8_t signed_bytes[2 * OCTETS + 5], digest[OCTETS];
  made->flags = told ? (uint8_t)atoi(told) : 1;
  made->counter = 258;
  SHA256((const uint8_t *)application, strlen(application), signed_bytes);
  memcpy(signed_bytes + OCTETS, (uint8_t[]){made->flags, 0, 0, 1, 2}, 5);
  SHA256(data, data_len, signed_bytes + OCTETS + 5);
  if (alg == ED25519) {
    void *key = EVP_PKEY_new_raw_private_key(NID_ED25519, NULL, handle, handle_len), *context = EVP_MD_CTX_new();
    made->sig_r_len = SIGNATURE;
    made->sig_r = calloc(1, SIGNATURE);
    if (!EVP_DigestSignInit(context, NULL, NULL, NULL, key)) return FAILED;
    if (!EVP_DigestSign(context, made->sig_r, &made->sig_r_len, signed_bytes, sizeof signed_bytes)) return FAILED;
  } else if (alg == ECDSA) {
    void *key = EC_KEY_new_by_curve_name(NID_P256);
    const void *r, *s;
    SHA256(signed_bytes, sizeof signed_bytes, digest);
    if (!EC_KEY_oct2priv(key, handle, handle_len)) return FAILED;
    ECDSA_SIG_get0(ECDSA_do_sign(digest, OCTETS, key), &r, &s);
    made->sig_r = octets(r, &made->sig_r_len);
    made->sig_s = octets(s, &made->sig_s_len);
  } else return UNSUPPORTED;
  *answer = made;
  return 0;
}

int sk_load_resident_keys(const char *pin, void **options, void ***keys, size_t *count) { return UNSUPPORTED; }
