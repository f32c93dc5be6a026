// OpenSSL 3, and those of its macros that are calls as functions of the same name: Swift does not import them.
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

// SSL_CTX_set_mode(3)
#undef SSL_CTX_set_mode
static inline long SSL_CTX_set_mode(SSL_CTX *context, long mode) {
    return SSL_CTX_ctrl(context, SSL_CTRL_MODE, mode, NULL);
}
#undef SSL_CTX_clear_mode
static inline long SSL_CTX_clear_mode(SSL_CTX *context, long mode) {
    return SSL_CTX_ctrl(context, SSL_CTRL_CLEAR_MODE, mode, NULL);
}

// SSL_CTX_set_read_ahead(3)
#undef SSL_CTX_set_read_ahead
static inline long SSL_CTX_set_read_ahead(SSL_CTX *context, long yes) {
    return SSL_CTX_ctrl(context, SSL_CTRL_SET_READ_AHEAD, yes, NULL);
}

// SSL_CTX_set_min_proto_version(3)
#undef SSL_CTX_set_min_proto_version
static inline int SSL_CTX_set_min_proto_version(SSL_CTX *context, int version) {
    return (int)SSL_CTX_ctrl(context, SSL_CTRL_SET_MIN_PROTO_VERSION, version, NULL);
}

// SSL_CTX_set_session_cache_mode(3)
#undef SSL_CTX_set_session_cache_mode
static inline long SSL_CTX_set_session_cache_mode(SSL_CTX *context, long mode) {
    return SSL_CTX_ctrl(context, SSL_CTRL_SET_SESS_CACHE_MODE, mode, NULL);
}

// SSL_CTX_set_options(3): the flags are macros that call a macro.
static inline uint64_t SSL_CTX_refuse_renegotiation_and_compression(SSL_CTX *context) {
    return SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
}

// SSL_set_tlsext_host_name(3)
#undef SSL_set_tlsext_host_name
static inline int SSL_set_tlsext_host_name(SSL *ssl, const char *name) {
    return (int)SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, (void *)name);
}

// BIO_should_retry(3)
#undef BIO_set_retry_read
static inline void BIO_set_retry_read(BIO *bio) {
    BIO_set_flags(bio, BIO_FLAGS_READ | BIO_FLAGS_SHOULD_RETRY);
}
#undef BIO_clear_retry_flags
static inline void BIO_clear_retry_flags(BIO *bio) {
    BIO_clear_flags(bio, BIO_FLAGS_RWS | BIO_FLAGS_SHOULD_RETRY);
}
