/* What of ws is more than a byte stream: the request line and the Host that a
   connecting socket sends, and whether a message is TEXT or BINARY, which the
   sender says by option or with the message, and the receiver is told. */

#include "ctest.h"

static void request(const char *resource)
{
    char addr[NN_SOCKADDR_MAX], host[64], text[2048] = "";
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof in;
    size_t got = 0;
    int listener = MUST(socket(AF_INET, SOCK_STREAM, 0));
    MUST(bind(listener, (struct sockaddr *) &in, length));
    MUST(listen(listener, 4));
    MUST(getsockname(listener, (struct sockaddr *) &in, &length));
    snprintf(host, sizeof host, "127.0.0.1:%d", ntohs(in.sin_port));
    snprintf(addr, sizeof addr, "ws://%s%s", host, resource);
    int s = ct_socket(NN_REQ);
    MUST(nn_connect(s, addr));
    int peer = MUST(accept(listener, NULL, NULL));
    while (!strstr(text, "\r\n\r\n")) {
        ssize_t n = read(peer, text + got, sizeof text - 1 - got);
        if (n <= 0)
            ct_die("read", __LINE__);
        got += (size_t) n;
    }
    for (char *line = strtok(text, "\r\n"); line; line = strtok(NULL, "\r\n")) {
        if (!strncmp(line, "Sec-WebSocket-Key: ", 19)) {
            printf("  Sec-WebSocket-Key: %zu characters\n", strlen(line + 19));
        } else if (!strncmp(line, "Host: ", 6)) {
            CHECK(!strcmp(line + 6, host));
        } else {
            printf("  %s\n", line);
        }
    }
    MUST(nn_close(s));
    close(peer);
    close(listener);
}

/* Sends a message, of this type if it is not 0. The type that the receiver is told;
   printed as well if there are words for it. */
static int pass(const char *what, int from, int to, int type)
{
    union { unsigned char bytes[64]; struct nn_cmsghdr head; } out, in;
    char body[8];
    int told = 0;
    struct nn_iovec iov = {"hello", 5};
    struct nn_msghdr hdr = {.msg_iov = &iov, .msg_iovlen = 1};
    memset(&out, 0, sizeof out);
    memset(&in, 0, sizeof in);
    if (type) {
        hdr.msg_control = &out;
        hdr.msg_controllen = NN_CMSG_SPACE(1);
        out.head.cmsg_len = NN_CMSG_LEN(1);
        out.head.cmsg_level = NN_WS;
        out.head.cmsg_type = NN_WS_MSG_TYPE;
        *NN_CMSG_DATA(&out.head) = (unsigned char) type;
    }
    MUST(nn_sendmsg(from, &hdr, 0));
    iov = (struct nn_iovec) {body, sizeof body};
    hdr.msg_control = &in;
    hdr.msg_controllen = sizeof in;
    CHECK(nn_recvmsg(to, &hdr, 0) == 5 && !memcmp(body, "hello", 5));
    for (struct nn_cmsghdr *c = NN_CMSG_FIRSTHDR(&hdr); c && c->cmsg_len >= sizeof *c; c = NN_CMSG_NXTHDR(&hdr, c)) {
        if (c->cmsg_level != NN_WS)
            continue;
        told = *NN_CMSG_DATA(c);
        if (what)
            printf("%s: type %d, %zu bytes, %d\n", what, c->cmsg_type, c->cmsg_len, *NN_CMSG_DATA(c));
    }
    /* Q-R31: there is more than the type in it. */
    for (size_t i = NN_CMSG_SPACE(sizeof(size_t)) + NN_CMSG_LEN(1); !ct_oracle && i < sizeof in; i++)
        CHECK(in.bytes[i] == 0);
    return told;
}

int main(void)
{
    printf("-- requests\n");
    request("");
    request("/");
    request("/path/to?a=b&c=d");

    printf("-- types\n");
    int s[2], text = NN_WS_MSG_TYPE_TEXT, binary = NN_WS_MSG_TYPE_BINARY;
    ct_pair(WS, s);
    for (int way = 0; way < 2; way++) {
        int from = s[way], to = s[!way];
        pass("unless told otherwise", from, to, 0);
        pass("TEXT said with the message", from, to, NN_WS_MSG_TYPE_TEXT);
        MUST(nn_setsockopt(from, NN_WS, NN_WS_MSG_TYPE, &text, sizeof text));
        pass("TEXT by the option, too late", from, to, 0);
        pass("BINARY said with the message", from, to, NN_WS_MSG_TYPE_BINARY);
        QUIRK("Q-R13", "what is neither TEXT nor BINARY goes as the option says") {
            CHECK(pass(NULL, from, to, 9) == NN_WS_MSG_TYPE_BINARY);
            CHECK(pass(NULL, from, to, 0xC1) == NN_WS_MSG_TYPE_BINARY);
        }
        MUST(nn_setsockopt(from, NN_WS, NN_WS_MSG_TYPE, &binary, sizeof binary));
        pass("BINARY by the option", from, to, 0);
    }
    ct_close_pair(s);

    /* The option is taken over by endpoints that connect and by connections that
       are accepted. */
    char addr[NN_SOCKADDR_MAX];
    s[0] = ct_socket(NN_PAIR);
    s[1] = ct_socket(NN_PAIR);
    MUST(nn_bind(s[0], ct_address(WS, addr)));
    for (int i = 0; i < 2; i++)
        MUST(nn_setsockopt(s[i], NN_WS, NN_WS_MSG_TYPE, &text, sizeof text));
    MUST(nn_connect(s[1], addr));
    MUST(nn_setsockopt(s[1], NN_WS, NN_WS_MSG_TYPE, &binary, sizeof binary));
    CONNECTED(s[0]);
    CONNECTED(s[1]);
    pass("TEXT by the option of who binds", s[0], s[1], 0);
    pass("TEXT by the option of who connects", s[1], s[0], 0);
    pass("BINARY said with the message", s[1], s[0], NN_WS_MSG_TYPE_BINARY);
    ct_close_pair(s);
    return 0;
}
