/*  A daemon with a control socket on the side, in C. daemon.py is the same in
    Python, and says how to talk to it. usage: daemon ADDRESS */

#include <nanomsg/nn.h>
#include <nanomsg/reqrep.h>

#include <stdio.h>
#include <string.h>
#include <time.h>

static long long count;
static int interval = 100, working = 1, ended;

static double now_ms (void)
{
    struct timespec now;

    clock_gettime (CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1e3 + now.tv_nsec / 1e6;
}

static void obey (const char *order, char *answer, size_t size)
{
    int number;
    char rest;

    snprintf (answer, size, "ok");
    if (strcmp (order, "status") == 0)
        snprintf (answer, size, "count %lld interval %d working %d",
            count, interval, working);
    else if (strncmp (order, "interval ", 9) == 0) {
        if (sscanf (order + 9, "%d%c", &number, &rest) == 1 &&
              number >= 1 && number <= 60000)
            interval = number;
        else
            snprintf (answer, size, "error: an interval is a number of "
                "milliseconds, 1 to 60000");
    }
    else if (strcmp (order, "halt") == 0 || strcmp (order, "resume") == 0)
        working = order [0] == 'r';
    else if (strcmp (order, "end") == 0)
        ended = 1;
    else
        snprintf (answer, size, "error: I know status, "
            "interval MILLISECONDS, halt, resume and end");
}

int main (int argc, char *argv [])
{
    char order [64], answer [128];
    double due = now_ms ();
    int control = nn_socket (AF_SP, NN_REP), size;

    if (argc != 2 || nn_bind (control, argv [1]) < 0) {
        fprintf (stderr, "usage: daemon ADDRESS (%s)\n", nn_strerror (nn_errno ()));
        return 2;
    }
    while (!ended) {
        struct nn_pollfd wait = {control, NN_POLLIN, 0};
        double left = due - now_ms ();

        if (nn_poll (&wait, 1, left > 0 ? (int) left : 0) > 0 &&
              (size = nn_recv (control, order, sizeof (order), NN_DONTWAIT)) >= 0) {
            order [size < (int) sizeof (order) ? size : (int) sizeof (order) - 1] = 0;
            obey (order, answer, sizeof (answer));
            nn_send (control, answer, strlen (answer), 0);
        }
        if (now_ms () >= due) {
            due = now_ms () + interval;
            count += working;   /* the work */
        }
    }
    return nn_close (control) < 0;
}
