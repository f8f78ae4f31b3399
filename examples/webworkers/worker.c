/*  A worker, in C: pulls requests, publishes answers. Start as many as you like.

    usage: worker REQUESTS ANSWERS [MILLISECONDS]

    It takes so many milliseconds over each request, as if it asked a database.
    worker.py is the same in Python. */

#include <nanomsg/nn.h>
#include <nanomsg/pipeline.h>
#include <nanomsg/pubsub.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void check (int result, const char *what)
{
    if (result < 0) {
        fprintf (stderr, "%s: %s\n", what, nn_strerror (nn_errno ()));
        exit (1);
    }
}

/*  Writes an HTTP answer; change this to make the server do something else. */
static int answer (char *out, size_t size, const char *request, int served)
{
    char text [512];
    int length = snprintf (text, sizeof (text),
        "worker %d, its request number %d: %.*s\n", (int) getpid (), served,
        (int) strcspn (request, "\r"), request);

    return snprintf (out, size, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
        "Content-Length: %d\r\n\r\n%s",
        length, strncmp (request, "HEAD ", 5) ? text : "");
}

int main (int argc, char *argv [])
{
    char out [1024], head [256], *message;
    int pull, publish, served, size, first;

    if (argc < 3) {
        fprintf (stderr, "usage: worker REQUESTS ANSWERS [MILLISECONDS]\n");
        return 2;
    }
    pull = nn_socket (AF_SP, NN_PULL);
    publish = nn_socket (AF_SP, NN_PUB);

    /*  First the way out: a PUB without a subscriber drops what it is given. */
    check (nn_connect (publish, argv [2]), argv [2]);
    while (nn_get_statistic (publish, NN_STAT_CURRENT_CONNECTIONS) == 0)
        usleep (10000);
    check (nn_connect (pull, argv [1]), argv [1]);

    for (served = 1;; ++served) {
        while ((size = nn_recv (pull, &message, NN_MSG, 0)) < 0 &&
              nn_errno () == EINTR)
            ;   /* it was halted (Ctrl-Z) and goes on */
        check (size, "nn_recv");
        /*  The first line says whose request it is; the answer repeats it. */
        snprintf (head, sizeof (head), "%.*s", size, message);
        nn_freemsg (message);
        first = (int) strcspn (head, "\n") + 1;
        if (!head [first - 1])
            continue;
        if (argc > 3)
            usleep ((useconds_t) (atof (argv [3]) * 1000));
        memcpy (out, head, (size_t) first);
        size = first + answer (out + first, sizeof (out) - (size_t) first,
            head + first, served);
        check (nn_send (publish, out, (size_t) size, 0), "nn_send");
    }
}
