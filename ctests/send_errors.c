/* Arguments of nn_send, nn_sendmsg, nn_recv and nn_recvmsg, in the order checked. */

#include "ctest.h"

int main(void)
{
    char buf[16] = "0123456789";
    int s[2], alone = ct_socket(NN_PAIR);
    struct nn_iovec iov[4] = {{buf, 3}, {buf, 4}, {NULL, 0}, {buf, 1}};
    struct nn_msghdr hdr = {iov, 1, NULL, 0};
    ct_pair(INPROC, s);

    printf("-- nn_send\n");
    CALL(nn_send(s[0], buf, 3, 0));
    CALL(nn_send(s[0], buf, 0, 0));
    CALL(nn_send(s[0], NULL, 0, 0));
    CALL(nn_send(s[0], NULL, 3, 0));
    CALL(nn_send(alone, NULL, 3, NN_DONTWAIT));
    CALL(nn_send(alone, buf, 3, NN_DONTWAIT));
    CALL(nn_send(alone, buf, 0, NN_DONTWAIT));
    for (int i = 0; i < 3; i++)
        CALL(nn_recv(s[1], buf, sizeof buf, 0));
    CALL(nn_recv(s[1], buf, sizeof buf, NN_DONTWAIT));

    printf("-- flags: only NN_DONTWAIT is known, other bits do nothing\n");
    CALL(nn_send(s[0], buf, 3, 0x100));
    CALL(nn_recv(s[1], buf, sizeof buf, 0x100));
    CALL(nn_send(s[0], buf, 3, 2 | NN_DONTWAIT));
    CALL(nn_recv(s[1], buf, sizeof buf, 2));
    CALL(nn_send(alone, buf, 3, 0x100 | NN_DONTWAIT));
    CALL(nn_recv(alone, buf, sizeof buf, -1));

    printf("-- nn_sendmsg\n");
    CALL(nn_sendmsg(s[0], NULL, 0));
    CALL(nn_sendmsg(alone, NULL, NN_DONTWAIT));
    CALL(nn_sendmsg(s[0], &hdr, 0));
    CALL(nn_recv(s[1], buf, sizeof buf, 0));
    hdr.msg_iovlen = 0;
    CALL_AS("no iovec", nn_sendmsg(s[0], &hdr, 0));
    CALL(nn_recv(s[1], buf, sizeof buf, 0));
    hdr.msg_iov = NULL;
    CALL_AS("no iovec, NULL array", nn_sendmsg(s[0], &hdr, 0));
    CALL(nn_recv(s[1], buf, sizeof buf, 0));
    hdr.msg_iov = iov;
    hdr.msg_iovlen = -1;
    CALL_AS("-1 iovecs", nn_sendmsg(s[0], &hdr, 0));
    CALL_AS("-1 iovecs, no peer", nn_sendmsg(alone, &hdr, NN_DONTWAIT));
    hdr.msg_iovlen = INT_MIN;
    CALL_AS("INT_MIN iovecs", nn_sendmsg(s[0], &hdr, 0));
    hdr.msg_iovlen = 4;
    CALL_AS("4 iovecs, one empty", nn_sendmsg(s[0], &hdr, 0));
    CALL(nn_recv(s[1], buf, sizeof buf, 0));

    iov[2].iov_len = 1;
    CALL_AS("NULL base in the third", nn_sendmsg(s[0], &hdr, 0));
    iov[1].iov_len = NN_MSG;
    CALL_AS("NN_MSG in the second, NULL base in the third", nn_sendmsg(s[0], &hdr, 0));
    iov[0].iov_base = NULL;
    CALL_AS("NULL base in the first, NN_MSG in the second", nn_sendmsg(s[0], &hdr, 0));
    iov[0].iov_base = buf;
    iov[1].iov_len = 4;
    iov[2].iov_len = 0;
    iov[3].iov_len = SIZE_MAX - 3;
    CALL_AS("lengths that overflow", nn_sendmsg(s[0], &hdr, 0));
    iov[3].iov_len = SIZE_MAX;
    CALL_AS("NN_MSG in the last", nn_sendmsg(s[0], &hdr, 0));
    iov[3].iov_base = NULL;
    iov[3].iov_len = SIZE_MAX - 3;
    CALL_AS("NULL base and overflow in the last", nn_sendmsg(s[0], &hdr, 0));
    hdr.msg_iovlen = 3;
    CALL_AS("without a peer, good", nn_sendmsg(alone, &hdr, NN_DONTWAIT));
    iov[0].iov_base = NULL;
    CALL_AS("without a peer, NULL base", nn_sendmsg(alone, &hdr, NN_DONTWAIT));
    iov[0].iov_base = buf;

    printf("-- nn_recvmsg\n");
    hdr.msg_iovlen = 1;
    CALL(nn_recvmsg(s[0], NULL, 0));
    CALL(nn_recvmsg(s[0], NULL, NN_DONTWAIT));
    hdr.msg_iovlen = -1;
    CALL_AS("-1 iovecs", nn_recvmsg(s[0], &hdr, 0));
    CALL_AS("-1 iovecs, nothing there", nn_recvmsg(s[0], &hdr, NN_DONTWAIT));
    hdr.msg_iovlen = 1;
    CALL_AS("nothing there", nn_recvmsg(s[0], &hdr, NN_DONTWAIT));
    CALL(nn_recv(s[0], NULL, 0, NN_DONTWAIT));

    CALL(nn_send(s[0], "abc", 3, 0));
    CALL(nn_recv(s[1], NULL, 0, 0));
    CALL(nn_send(s[0], "abc", 3, 0));
    hdr.msg_iovlen = 0;
    CALL_AS("no iovec", nn_recvmsg(s[1], &hdr, 0));

    QUIRK("Q-B23", "receiving into NULL is EFAULT at once and loses no message") {
        hdr.msg_iovlen = 1;
        iov[0].iov_base = NULL;
        CHECK(nn_recvmsg(s[0], &hdr, NN_DONTWAIT) == -1 && nn_errno() == EFAULT);
        CHECK(nn_recv(s[0], NULL, 3, NN_DONTWAIT) == -1 && nn_errno() == EFAULT);
        CHECK(nn_send(s[0], "abc", 3, 0) == 3);
        EVENTUALLY(ct_readable(ct_get(s[1], NN_SOL_SOCKET, NN_RCVFD)));
        CHECK(nn_recv(s[1], NULL, 3, 0) == -1 && nn_errno() == EFAULT);
        CHECK(nn_recv(s[1], buf, sizeof buf, 0) == 3);
    }
    ct_close_pair(s);
    MUST(nn_close(alone));
    return 0;
}
