/* Every constant, struct and macro of the eleven headers. */

#include "ctest.h"

#define INT(name) printf(#name " %lld\n", (long long) (name))
#define SIZE(type) printf("sizeof " #type " %zu\n", sizeof(type))
#define FIELD(type, field) \
    printf(#type "." #field " at %zu, %zu bytes\n", offsetof(type, field), sizeof(((type *) 0)->field))

int main(void)
{
    /* The version belongs to the release, its being there to the interface. */
    CHECK(NN_VERSION_CURRENT >= 5 && NN_VERSION_REVISION >= 0 && NN_VERSION_AGE >= 0);

    INT(NN_HAUSNUMERO); INT(ETERM); INT(EFSM);
    INT(EACCESS == EACCES);
    INT(AF_SP); INT(AF_SP_RAW);
    INT(NN_SOCKADDR_MAX); INT(NN_SOL_SOCKET);
    INT(NN_MSG == (size_t) -1); INT(sizeof(NN_MSG) == sizeof(size_t));
    INT(NN_LINGER); INT(NN_SNDBUF); INT(NN_RCVBUF); INT(NN_SNDTIMEO); INT(NN_RCVTIMEO);
    INT(NN_RECONNECT_IVL); INT(NN_RECONNECT_IVL_MAX); INT(NN_SNDPRIO); INT(NN_RCVPRIO);
    INT(NN_SNDFD); INT(NN_RCVFD); INT(NN_DOMAIN); INT(NN_PROTOCOL); INT(NN_IPV4ONLY);
    INT(NN_SOCKET_NAME); INT(NN_RCVMAXSIZE); INT(NN_MAXTTL);
    INT(NN_DONTWAIT); INT(PROTO_SP); INT(SP_HDR); INT(NN_POLLIN); INT(NN_POLLOUT);
    INT(NN_NS_NAMESPACE); INT(NN_NS_VERSION); INT(NN_NS_DOMAIN); INT(NN_NS_TRANSPORT);
    INT(NN_NS_PROTOCOL); INT(NN_NS_OPTION_LEVEL); INT(NN_NS_SOCKET_OPTION);
    INT(NN_NS_TRANSPORT_OPTION); INT(NN_NS_OPTION_TYPE); INT(NN_NS_OPTION_UNIT); INT(NN_NS_FLAG);
    INT(NN_NS_ERROR); INT(NN_NS_LIMIT); INT(NN_NS_EVENT); INT(NN_NS_STATISTIC);
    INT(NN_TYPE_NONE); INT(NN_TYPE_INT); INT(NN_TYPE_STR);
    INT(NN_UNIT_NONE); INT(NN_UNIT_BYTES); INT(NN_UNIT_MILLISECONDS); INT(NN_UNIT_PRIORITY);
    INT(NN_UNIT_BOOLEAN); INT(NN_UNIT_MESSAGES); INT(NN_UNIT_COUNTER);
    INT(NN_STAT_ESTABLISHED_CONNECTIONS); INT(NN_STAT_ACCEPTED_CONNECTIONS);
    INT(NN_STAT_DROPPED_CONNECTIONS); INT(NN_STAT_BROKEN_CONNECTIONS);
    INT(NN_STAT_CONNECT_ERRORS); INT(NN_STAT_BIND_ERRORS); INT(NN_STAT_ACCEPT_ERRORS);
    INT(NN_STAT_CURRENT_CONNECTIONS); INT(NN_STAT_INPROGRESS_CONNECTIONS);
    INT(NN_STAT_CURRENT_EP_ERRORS); INT(NN_STAT_MESSAGES_SENT); INT(NN_STAT_MESSAGES_RECEIVED);
    INT(NN_STAT_BYTES_SENT); INT(NN_STAT_BYTES_RECEIVED); INT(NN_STAT_CURRENT_SND_PRIORITY);

    INT(NN_INPROC);
    INT(NN_IPC); INT(NN_IPC_SEC_ATTR); INT(NN_IPC_OUTBUFSZ); INT(NN_IPC_INBUFSZ);
    INT(NN_TCP); INT(NN_TCP_NODELAY);
    INT(NN_WS); INT(NN_WS_MSG_TYPE); INT(NN_WS_MSG_TYPE_TEXT); INT(NN_WS_MSG_TYPE_BINARY);
    INT(NN_PROTO_PAIR); INT(NN_PAIR);
    INT(NN_PROTO_PUBSUB); INT(NN_PUB); INT(NN_SUB); INT(NN_SUB_SUBSCRIBE); INT(NN_SUB_UNSUBSCRIBE);
    INT(NN_PROTO_REQREP); INT(NN_REQ); INT(NN_REP); INT(NN_REQ_RESEND_IVL);
    INT(NN_PROTO_PIPELINE); INT(NN_PUSH); INT(NN_PULL);
    INT(NN_PROTO_SURVEY); INT(NN_SURVEYOR); INT(NN_RESPONDENT); INT(NN_SURVEYOR_DEADLINE);
    INT(NN_PROTO_BUS); INT(NN_BUS);

    /* On systems that have their own, nn.h leaves the names of errno alone. */
    INT(ENOTSUP); INT(EPROTONOSUPPORT); INT(ENOBUFS); INT(ENETDOWN); INT(EADDRINUSE);
    INT(EADDRNOTAVAIL); INT(ECONNREFUSED); INT(EINPROGRESS); INT(ENOTSOCK); INT(EAFNOSUPPORT);
    INT(EPROTO); INT(EAGAIN); INT(EBADF); INT(EINVAL); INT(EMFILE); INT(EFAULT); INT(EACCES);
    INT(ENETRESET); INT(ENETUNREACH); INT(EHOSTUNREACH); INT(ENOTCONN); INT(EMSGSIZE);
    INT(ETIMEDOUT); INT(ECONNABORTED); INT(ECONNRESET); INT(ENOPROTOOPT); INT(EISCONN);
    INT(ESOCKTNOSUPPORT);

    SIZE(struct nn_iovec);
    FIELD(struct nn_iovec, iov_base); FIELD(struct nn_iovec, iov_len);
    SIZE(struct nn_msghdr);
    FIELD(struct nn_msghdr, msg_iov); FIELD(struct nn_msghdr, msg_iovlen);
    FIELD(struct nn_msghdr, msg_control); FIELD(struct nn_msghdr, msg_controllen);
    SIZE(struct nn_cmsghdr);
    FIELD(struct nn_cmsghdr, cmsg_len); FIELD(struct nn_cmsghdr, cmsg_level);
    FIELD(struct nn_cmsghdr, cmsg_type);
    SIZE(struct nn_pollfd);
    FIELD(struct nn_pollfd, fd); FIELD(struct nn_pollfd, events); FIELD(struct nn_pollfd, revents);
    SIZE(struct nn_symbol_properties);
    FIELD(struct nn_symbol_properties, value); FIELD(struct nn_symbol_properties, name);
    FIELD(struct nn_symbol_properties, ns); FIELD(struct nn_symbol_properties, type);
    FIELD(struct nn_symbol_properties, unit);
    SIZE(union nn_req_handle); SIZE(nn_req_handle);
    FIELD(nn_req_handle, i); FIELD(nn_req_handle, ptr);

    for (size_t n = 0; n <= 40; n++)
        printf("length %zu: ALIGN %zu SPACE %zu LEN %zu\n", n, (size_t) NN_CMSG_ALIGN_(n),
               (size_t) NN_CMSG_SPACE(n), (size_t) NN_CMSG_LEN(n));
    struct nn_cmsghdr c[2];
    unsigned char *data = NN_CMSG_DATA(&c[0]);
    printf("NN_CMSG_DATA %td behind the header's start\n", data - (unsigned char *) c);

    /* The prototypes: each assignment compiles only with the right type. */
    int (*errno_)(void) = nn_errno;
    const char *(*strerror_)(int) = nn_strerror;
    const char *(*symbol)(int, int *) = nn_symbol;
    int (*symbol_info)(int, struct nn_symbol_properties *, int) = nn_symbol_info;
    void (*term)(void) = nn_term;
    void *(*allocmsg)(size_t, int) = nn_allocmsg;
    void *(*reallocmsg)(void *, size_t) = nn_reallocmsg;
    int (*freemsg)(void *) = nn_freemsg;
    struct nn_cmsghdr *(*nxthdr)(const struct nn_msghdr *, const struct nn_cmsghdr *) = nn_cmsg_nxthdr_;
    int (*socket_)(int, int) = nn_socket;
    int (*close_)(int) = nn_close;
    int (*setsockopt_)(int, int, int, const void *, size_t) = nn_setsockopt;
    int (*getsockopt_)(int, int, int, void *, size_t *) = nn_getsockopt;
    int (*bind_)(int, const char *) = nn_bind;
    int (*connect_)(int, const char *) = nn_connect;
    int (*shutdown_)(int, int) = nn_shutdown;
    int (*send_)(int, const void *, size_t, int) = nn_send;
    int (*recv_)(int, void *, size_t, int) = nn_recv;
    int (*sendmsg_)(int, const struct nn_msghdr *, int) = nn_sendmsg;
    int (*recvmsg_)(int, struct nn_msghdr *, int) = nn_recvmsg;
    int (*poll_)(struct nn_pollfd *, int, int) = nn_poll;
    int (*device)(int, int) = nn_device;
    uint64_t (*get_statistic)(int, int) = nn_get_statistic;
    CHECK(errno_ && strerror_ && symbol && symbol_info && term && allocmsg && reallocmsg && freemsg);
    CHECK(nxthdr && socket_ && close_ && setsockopt_ && getsockopt_ && bind_ && connect_);
    CHECK(shutdown_ && send_ && recv_ && sendmsg_ && recvmsg_ && poll_ && device && get_statistic);
    return 0;
}
