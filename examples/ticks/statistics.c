/*  The statistics daemon: counts ticks, and answers questions about them.

    usage: statistics FEED CONTROL

    CONTROL is a REP socket: count, or vwap PREFIX for the average price of the
    instruments whose name begins so, weighted by volume. */

#include "sp.h"

#define SLOTS 8192

struct instrument {
    char name [32];
    long long n, seen, lost, volume;
    double worth;   /* cents times volume; a whole number */
};

static struct instrument table [SLOTS];
static long long seen, lost;

static struct instrument *find (const char *name)
{
    unsigned slot = 5381;
    const char *c;

    for (c = name; *c; ++c)
        slot = slot * 33 + (unsigned char) *c;
    for (slot %= SLOTS; table [slot].name [0]; slot = (slot + 1) % SLOTS)
        if (strcmp (table [slot].name, name) == 0)
            return &table [slot];
    strcpy (table [slot].name, name);
    return &table [slot];
}

static void count (const char *tick)
{
    char name [32];
    long long n, units, cents, volume;
    struct instrument *i;

    if (sscanf (tick, "tick/%31s %lld %lld.%lld %lld",
          name, &n, &units, &cents, &volume) != 5)
        return;
    i = find (name);
    /*  A smaller number than before is a feed that has started anew. */
    if (n > i->n + 1) {
        i->lost += n - i->n - 1;
        lost += n - i->n - 1;
    }
    i->n = n;
    ++i->seen;
    ++seen;
    i->volume += volume;
    i->worth += (double) (units * 100 + cents) * (double) volume;
}

static void answer (const char *question, char *text, size_t size)
{
    char prefix [32];
    long long ticks = 0, volume = 0;
    double worth = 0;
    int i;

    if (strcmp (question, "count") == 0)
        snprintf (text, size, "seen %lld lost %lld", seen, lost);
    else if (sscanf (question, "vwap %31s", prefix) == 1) {
        for (i = 0; i != SLOTS; ++i)
            if (table [i].name [0] &&
                  strncmp (table [i].name, prefix, strlen (prefix)) == 0) {
                ticks += table [i].seen;
                volume += table [i].volume;
                worth += table [i].worth;
            }
        if (volume)
            snprintf (text, size, "vwap %.4f volume %lld ticks %lld",
                worth / (double) volume / 100, volume, ticks);
        else
            snprintf (text, size, "error: no ticks of %s yet", prefix);
    }
    else
        snprintf (text, size, "error: I know count and vwap PREFIX");
}

int main (int argc, char *argv [])
{
    struct nn_pollfd wait [2];
    char text [SP_MESSAGE_MAX], reply [128];
    int feed, control, size, sockets [2];

    if (argc != 3) {
        fprintf (stderr, "usage: statistics FEED CONTROL\n");
        return 2;
    }
    feed = sockets [0] = sp_socket (AF_SP, NN_SUB, "statistics.in");
    control = sockets [1] = sp_socket (AF_SP, NN_REP, "statistics.control");
    sp_report_on (sockets, 2);
    sp_subscribe (feed, "tick/");
    sp_bind (control, argv [2]);
    sp_connect (feed, argv [1]);

    for (;;) {
        wait [0].fd = feed;
        wait [1].fd = control;
        wait [0].events = wait [1].events = NN_POLLIN;
        nn_poll (wait, 2, 1000);
        while ((size = nn_recv (feed, text, sizeof (text) - 1,
              NN_DONTWAIT)) >= 0) {
            if (size > (int) sizeof (text) - 1)
                continue;
            text [size] = 0;
            count (text);
            if (seen % 256 == 0)
                break;  /* a question is not kept waiting for ever */
        }
        size = nn_recv (control, text, sizeof (text) - 1, NN_DONTWAIT);
        if (size >= 0) {
            text [size < (int) sizeof (text) ? size : (int) sizeof (text) - 1] = 0;
            answer (text, reply, sizeof (reply));
            nn_send (control, reply, strlen (reply), 0);
        }
        if (sp_report_due ()) {
            printf ("seen %lld lost %lld\n", seen, lost);
            fflush (stdout);
        }
    }
}
