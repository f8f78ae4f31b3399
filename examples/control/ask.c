/*  Says something to a control socket and prints the answer.
    usage: ask ADDRESS WORD... */

#include <nanomsg/nn.h>
#include <nanomsg/reqrep.h>

#include <stdio.h>
#include <string.h>

int main (int argc, char *argv [])
{
    char text [1024] = "";
    int control = nn_socket (AF_SP, NN_REQ), patience = 5000, i, size;

    if (argc < 3 || nn_connect (control, argv [1]) < 0) {
        fprintf (stderr, "usage: ask ADDRESS WORD... (%s)\n", nn_strerror (nn_errno ()));
        return 2;
    }
    nn_setsockopt (control, NN_SOL_SOCKET, NN_RCVTIMEO, &patience, sizeof (patience));
    for (i = 2; i != argc; ++i) {
        strncat (text, i > 2 ? " " : "", sizeof (text) - strlen (text) - 1);
        strncat (text, argv [i], sizeof (text) - strlen (text) - 1);
    }
    nn_send (control, text, strlen (text), 0);
    size = nn_recv (control, text, sizeof (text) - 1, 0);
    if (size < 0) {
        fprintf (stderr, "nobody answers at %s\n", argv [1]);
        return 1;
    }
    text [size < (int) sizeof (text) ? size : (int) sizeof (text) - 1] = 0;
    puts (text);
    nn_close (control);
    return strncmp (text, "error", 5) == 0;
}
