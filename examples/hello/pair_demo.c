/*  The C half of the demo: binds a PAIR socket to a free port, says where it
    listens, exchanges greetings with whoever connects, and measures round trips.

    After the greetings the peer (pair_demo.py) sends back every message, until
    it hears "goodbye". */

#include <nanomsg/nn.h>
#include <nanomsg/pair.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_MS 10000
#define WARM_UP 500
#define ROUND_TRIPS 5000
#define MESSAGE_SIZE 64

static void fail (const char *what)
{
    fprintf (stderr, "C: %s: %s\n", what, nn_strerror (nn_errno ()));
    exit (1);
}

/*  The demo chooses its port itself: nanomsg has no "any free port". */
static void bind_to_free_port (int s, char *address, size_t size)
{
    int first = (int) (getpid () % 20000);
    int i;

    for (i = 0; i != 20000; ++i) {
        snprintf (address, size, "tcp://127.0.0.1:%d",
            10000 + (first + i) % 20000);
        if (nn_bind (s, address) > 0)
            return;
        if (nn_errno () != EADDRINUSE)
            break;
    }
    fail ("nn_bind");
}

static void say (int s, const char *text)
{
    if (nn_send (s, text, strlen (text), 0) < 0)
        fail ("nn_send");
}

/*  Receives a message and prints it; nn_recv allocates, we free. */
static void hear (int s)
{
    char *text = NULL;
    int size = nn_recv (s, &text, NN_MSG, 0);

    if (size < 0)
        fail ("nn_recv");
    printf ("C      hears: %.*s\n", size, text);
    nn_freemsg (text);
}

static double now_us (void)
{
    struct timespec now;

    clock_gettime (CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1e6 + now.tv_nsec / 1e3;
}

static double round_trip_us (int s)
{
    static char sent [MESSAGE_SIZE] = "ping";
    char received [MESSAGE_SIZE];
    double start = now_us ();

    if (nn_send (s, sent, sizeof (sent), 0) < 0)
        fail ("nn_send");
    if (nn_recv (s, received, sizeof (received), 0) != sizeof (sent))
        fail ("nn_recv");
    return now_us () - start;
}

static int ascending (const void *a, const void *b)
{
    double x = *(const double*) a;
    double y = *(const double*) b;

    return (x > y) - (x < y);
}

static void measure (int s)
{
    static double one_way [ROUND_TRIPS];
    double sum = 0;
    int i;

    for (i = 0; i != WARM_UP; ++i)
        round_trip_us (s);
    for (i = 0; i != ROUND_TRIPS; ++i) {
        one_way [i] = round_trip_us (s) / 2;
        sum += one_way [i];
    }
    qsort (one_way, ROUND_TRIPS, sizeof (one_way [0]), ascending);
    printf ("C   measured: %d round trips of %d bytes; one-way latency in us: "
        "mean %.1f, p50 %.1f, p99 %.1f\n", ROUND_TRIPS, MESSAGE_SIZE,
        sum / ROUND_TRIPS, one_way [ROUND_TRIPS / 2],
        one_way [ROUND_TRIPS * 99 / 100]);
}

int main (void)
{
    char address [NN_SOCKADDR_MAX];
    int patience = PATIENCE_MS;
    int s = nn_socket (AF_SP, NN_PAIR);

    if (s < 0)
        fail ("nn_socket");
    if (nn_setsockopt (s, NN_SOL_SOCKET, NN_RCVTIMEO,
          &patience, sizeof (patience)) < 0 ||
          nn_setsockopt (s, NN_SOL_SOCKET, NN_SNDTIMEO,
          &patience, sizeof (patience)) < 0)
        fail ("nn_setsockopt");
    bind_to_free_port (s, address, sizeof (address));

    setvbuf (stdout, NULL, _IOLBF, BUFSIZ);
    printf ("C    listens: %s\n", address);

    hear (s);
    say (s, "Hello, Python! This is C.");
    hear (s);
    say (s, "Then let us count the microseconds. Ready?");
    hear (s);

    measure (s);

    say (s, "goodbye");
    hear (s);
    if (nn_close (s) < 0)
        fail ("nn_close");
    return 0;
}
