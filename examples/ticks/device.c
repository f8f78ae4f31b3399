/*  Devices: each takes messages from some addresses and passes them on to
    others. The combiner and the reflector of the network are this program.

    usage: device FROM... -- TO... [+ FROM... -- TO...]

    "+" begins another device in the same process, so that the two can be
    joined by an inproc:// address. */

#include "sp.h"

#include <pthread.h>
#include <unistd.h>

#define DEVICES_MAX 8

struct device {
    int from, to;
};

static void *forward (void *argument)
{
    struct device *device = argument;

    /*  Returns when a socket is closed, which here nobody does, or when the
        program was halted (Ctrl-Z) and goes on. */
    while (nn_device (device->from, device->to) < 0 && nn_errno () == EINTR)
        ;
    sp_fail ("nn_device", "");
    return NULL;
}

/*  Reads one device off the arguments; where the next one begins. */
static int open_device (struct device *device, int number, char *argv [], int i)
{
    char name [32];

    snprintf (name, sizeof (name), "device%d.in", number);
    device->from = sp_socket (AF_SP_RAW, NN_SUB, name);
    snprintf (name, sizeof (name), "device%d.out", number);
    device->to = sp_socket (AF_SP_RAW, NN_PUB, name);
    sp_subscribe (device->from, "");
    for (; argv [i] && strcmp (argv [i], "--") != 0; ++i)
        sp_connect (device->from, argv [i]);
    for (i += !!argv [i]; argv [i] && strcmp (argv [i], "+") != 0; ++i)
        sp_bind (device->to, argv [i]);
    return i + !!argv [i];
}

static unsigned long long figure (int s, int which)
{
    return (unsigned long long) nn_get_statistic (s, which);
}

int main (int argc, char *argv [])
{
    static struct device devices [DEVICES_MAX];
    pthread_t thread;
    int count = 0, next = 1, i, sockets [2 * DEVICES_MAX];

    if (argc < 4) {
        fprintf (stderr,
            "usage: device FROM... -- TO... [+ FROM... -- TO...]\n");
        return 2;
    }
    while (next < argc && count < DEVICES_MAX) {
        next = open_device (&devices [count], count + 1, argv, next);
        sockets [2 * count] = devices [count].from;
        sockets [2 * count + 1] = devices [count].to;
        ++count;
    }
    sp_report_on (sockets, 2 * count);
    for (i = 0; i != count; ++i)
        pthread_create (&thread, NULL, forward, &devices [i]);

    for (;;) {
        /*  The first device's figures, and who is connected to the last one. */
        printf ("seen %llu feeds %llu subscribers %llu pages %llu\n",
            figure (devices [0].from, NN_STAT_MESSAGES_RECEIVED),
            figure (devices [0].from, NN_STAT_CURRENT_CONNECTIONS),
            figure (devices [0].to, NN_STAT_CURRENT_CONNECTIONS),
            count > 1 ? figure (devices [count - 1].to,
            NN_STAT_CURRENT_CONNECTIONS) : 0);
        fflush (stdout);
        sleep (1);
    }
}
