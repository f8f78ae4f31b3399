/* Names of inproc: any bytes, compared exactly, one for the whole process. */

#include "ctest.h"

static void meet(const char *a, const char *b)
{
    char buf[8];
    int binder = ct_socket(NN_PAIR), connector = ct_socket(NN_PAIR);
    MUST(nn_bind(binder, a));
    MUST(nn_connect(connector, b));
    /* A connection would be made by the time another one, asked for later, is. */
    int s[2];
    ct_pair(INPROC, s);
    ct_close_pair(s);
    int met = nn_send(connector, "hi", 2, NN_DONTWAIT) == 2;
    if (met)
        CHECK(nn_recv(binder, buf, sizeof buf, 0) == 2);
    printf("\"%s\" and \"%s\": %s\n", a, b, met ? "meet" : "do not meet");
    MUST(nn_close(binder));
    MUST(nn_close(connector));
}

int main(void)
{
    meet("inproc://a", "inproc://a");
    meet("inproc://", "inproc://");
    meet("inproc://a", "inproc://");
    meet("inproc://a", "inproc://b");
    meet("inproc://a", "inproc://A");
    meet("inproc://a", "inproc://a ");
    meet("inproc://a", "inproc://aa");
    meet("inproc://aa", "inproc://a");
    meet("inproc:// with blanks ", "inproc:// with blanks ");
    meet("inproc:///a/b", "inproc:///a/b");
    meet("inproc:///a/b", "inproc://a/b");
    meet("inproc://a/../b", "inproc://b");
    meet("inproc://a:b", "inproc://a:b");
    meet("inproc://inproc://a", "inproc://inproc://a");
    meet("inproc://\xc3\xa4\xff\x01", "inproc://\xc3\xa4\xff\x01");
    meet("inproc://*", "inproc://a");
    meet("inproc://127.0.0.1:5555", "inproc://127.0.0.1:5555");

    /* One binder a name; a name is free again when its binder is gone. */
    int a = ct_socket(NN_PAIR), b = ct_socket(NN_PAIR);
    CALL(nn_bind(a, "inproc://x"));
    CALL(nn_bind(a, "inproc://x"));
    CALL(nn_bind(b, "inproc://x"));
    CALL(nn_bind(b, "inproc://X"));
    CALL(nn_close(a));
    CALL(nn_bind(b, "inproc://x"));
    CALL(nn_shutdown(b, 2));
    CALL(nn_bind(b, "inproc://x"));
    CALL(nn_shutdown(b, 3));
    a = ct_socket(NN_PAIR);
    CALL(nn_bind(a, "inproc://x"));
    CALL(nn_bind(b, "inproc://x"));
    CALL(nn_close(a));
    CALL(nn_close(b));
    return 0;
}
