/* What programs say of TLS (nanomsg-rs/tls.h), and the certificates that they use. */

#ifndef TLS_H
#define TLS_H

enum {
    NN_TLS = -1002,
    NN_TLS_CA = 1001,
    NN_TLS_CERT,
    NN_TLS_KEY,
    NN_TLS_VERIFY,
    NN_TLS_NAME,
    NN_TLS_MIN_VERSION,
};

enum {
    NN_ETLS_UNKNOWN_CA = NN_HAUSNUMERO + 1001,
    NN_ETLS_EXPIRED,
    NN_ETLS_NOT_YET_VALID,
    NN_ETLS_NAME,
    NN_ETLS_CERT,
    NN_ETLS_NO_CERT,
    NN_ETLS_VERSION,
    NN_ETLS_NO_COMMON,
    NN_ETLS_NOT_TLS,
    NN_ETLS_PROTOCOL,
    NN_ETLS_DISTRUSTED,
    NN_ETLS_CERT_WANTED,
};

/* Before all else of a program that shows certificates. */
static inline void tls_need_openssl(void)
{
    if (system("command -v openssl >/dev/null"))
        ct_skip_unless_ci("openssl is not installed");
}

/* Runs a shell command in the folder of certificates. */
static inline int tls_run(const char *command)
{
    char line[2000];
    snprintf(line, sizeof line, "cd '%s' && %s", ct_dir(), command);
    return system(line);
}

/* The path of a file of the folder that tests/pki.sh fills. */
static inline const char *tls_path(const char *name)
{
    static char path[200];
    static int made;
    if (!made++) {
        char command[600];
        int folder = (int) (strrchr(__FILE__, '/') - __FILE__);
        snprintf(command, sizeof command, "sh '%.*s/../tests/pki.sh' '%s'", folder, __FILE__, ct_dir());
        if (system(command))
            ct_die("tests/pki.sh", __LINE__);
    }
    snprintf(path, sizeof path, "%s/%s", ct_dir(), name);
    return path;
}

static inline int tls_text(int s, int option, const char *value)
{
    return nn_setsockopt(s, NN_TLS, option, value, strlen(value));
}

static inline int tls_file(int s, int option, const char *name)
{
    return tls_text(s, option, tls_path(name));
}

static inline int tls_int(int s, int option, int value)
{
    return nn_setsockopt(s, NN_TLS, option, &value, sizeof value);
}

/* Shows NAME.pem, whose key is NAME.key. */
static inline void tls_show(int s, const char *name)
{
    char file[64];
    snprintf(file, sizeof file, "%s.pem", name);
    MUST(tls_file(s, NN_TLS_CERT, file));
    snprintf(file, sizeof file, "%s.key", name);
    MUST(tls_file(s, NN_TLS_KEY, file));
}

/* Trusts the authority NAME.pem alone. */
static inline void tls_trust(int s, const char *name)
{
    char file[64];
    snprintf(file, sizeof file, "%s.pem", name);
    MUST(tls_file(s, NN_TLS_CA, file));
}

static const char *const tls_schemes[] = {"tls+tcp", "wss"};

/* Binds to a free port, and writes the address. */
static inline int tls_bind(int s, const char *scheme, char addr[NN_SOCKADDR_MAX])
{
    snprintf(addr, NN_SOCKADDR_MAX, "%s://127.0.0.1:%d", scheme, ct_port());
    return nn_bind(s, addr);
}

#endif
