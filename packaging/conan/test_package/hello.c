/* Two sockets over tcp, in one process: exits with 0 if the message arrives. */
#include <nanomsg/nn.h>
#include <nanomsg/pair.h>
#include <stdio.h>
#include <string.h>

int main (void)
{
    char text [8] = "", address [64];
    int timeout = 15000, port; /* ms */
    int a = nn_socket (AF_SP, NN_PAIR), b = nn_socket (AF_SP, NN_PAIR);
    nn_setsockopt (a, NN_SOL_SOCKET, NN_RCVTIMEO, &timeout, sizeof (timeout));
    /* Ports are tried until one is free. */
    for (port = 20000; port < 60000; port++) {
        sprintf (address, "tcp://127.0.0.1:%d", port);
        if (nn_bind (a, address) >= 0)
            break;
    }
    if (nn_connect (b, address) < 0 || nn_send (b, "Hello", 6, 0) != 6 || nn_recv (a, text, sizeof (text), 0) != 6)
        return 1;
    puts (text);
    return strcmp (text, "Hello") || nn_close (a) || nn_close (b);
}
