/*  The feed: replays recorded prices as ticks of 1,000 instruments.

    usage: feed PRICES.csv PUBLISH CONTROL

    PUBLISH is where the ticks go out (PUB), "tick/AAPL.017 N PRICE VOLUME".
    CONTROL is where it takes orders (REP): start, start COUNT, stop,
    rate TICKS-PER-SECOND, status. It begins stopped. */

#include "sp.h"

#define INSTRUMENTS 1000
#define SYMBOLS_MAX 32
#define PRICES_MAX 10000
#define STEPS 10       /* ticks from one recorded price to the next */
#define BATCH_MAX 1000  /* ticks sent before orders are looked at again */

struct series {
    char symbol [16];
    long cents [PRICES_MAX];
    long length;
};

static struct series series [SYMBOLS_MAX];
static int symbols;

static void read_prices (const char *path)
{
    char line [128], symbol [16];
    double price;
    FILE *file = fopen (path, "r");
    struct series *s = NULL;

    if (!file) {
        perror (path);
        exit (1);
    }
    while (fgets (line, sizeof (line), file)) {
        if (sscanf (line, "%15[^,],%lf", symbol, &price) != 2)
            continue;
        if (!s || strcmp (s->symbol, symbol) != 0) {
            if (symbols == SYMBOLS_MAX)
                break;
            s = &series [symbols++];
            strcpy (s->symbol, symbol);
        }
        if (s->length < PRICES_MAX)
            s->cents [s->length++] = (long) (price * 100 + 0.5);
    }
    fclose (file);
    if (!symbols) {
        fprintf (stderr, "%s: no prices\n", path);
        exit (1);
    }
}

/*  The recorded price at a position of the series, which is run through
    forwards, then backwards, then forwards again. */
static long recorded (const struct series *s, long position)
{
    long turn = s->length > 1 ? 2 * (s->length - 1) : 1;

    position %= turn;
    return s->cents [position < s->length ? position : turn - position];
}

/*  Tick number n (from 1) of an instrument. Instruments of one symbol start at
    different months; between two recorded prices the ticks go straight. */
static int make_tick (char *text, int instrument, long n)
{
    const struct series *s = &series [instrument % symbols];
    long copy = instrument / symbols;
    long month = copy + (n - 1) / STEPS, part = (n - 1) % STEPS;
    long cents = (recorded (s, month) * (STEPS - part) +
        recorded (s, month + 1) * part) / STEPS;
    long volume = 10 + 10 * ((n * 7 + instrument * 13) % 100);

    return snprintf (text, SP_MESSAGE_MAX, "tick/%s.%03ld %ld %ld.%02ld %ld",
        s->symbol, copy, n, cents / 100, cents % 100, volume);
}

static int running;
static double rate = 2000;
static long long sent, left = -1;   /* left: ticks until it stops, -1 for ever */
static double since;                /* the moment from which ticks are owed */
static double owed_sent;            /* and how many of those have gone out */

static void owe_from_now (void)
{
    since = sp_now ();
    owed_sent = 0;
}

static void obey (const char *order, char *answer, size_t size, int publish)
{
    char rest;
    double number;
    long long count;

    if (strcmp (order, "start") == 0 ||
          (sscanf (order, "start %lld%c", &count, &rest) == 1 && count > 0)) {
        left = order [5] ? count : -1;
        running = 1;
        owe_from_now ();
        snprintf (answer, size, "ok");
    }
    else if (strcmp (order, "stop") == 0) {
        running = 0;
        snprintf (answer, size, "ok");
    }
    else if (strncmp (order, "rate", 4) == 0) {
        if (sscanf (order, "rate %lf%c", &number, &rest) == 1 &&
              number >= 1 && number <= 1e7) {
            rate = number;
            owe_from_now ();
            snprintf (answer, size, "ok");
        }
        else
            snprintf (answer, size,
                "error: a rate is a number from 1 to 10000000, as in: rate 5000");
    }
    else if (strcmp (order, "status") == 0)
        snprintf (answer, size, "running %d rate %.0f sent %lld subscribers %d",
            running, rate, sent, (int) nn_get_statistic (publish,
            NN_STAT_CURRENT_CONNECTIONS));
    else
        snprintf (answer, size, "error: I know start, start COUNT, stop, "
            "rate TICKS-PER-SECOND and status");
}

static void take_orders (int control, int publish, int patience)
{
    char order [128], answer [128];
    struct nn_pollfd wait = {control, NN_POLLIN, 0};
    int size;

    while (nn_poll (&wait, 1, patience) > 0) {
        size = nn_recv (control, order, sizeof (order), NN_DONTWAIT);
        if (size < 0)
            return;
        order [size < (int) sizeof (order) ? size : (int) sizeof (order) - 1] = 0;
        obey (order, answer, sizeof (answer), publish);
        nn_send (control, answer, strlen (answer), 0);
        patience = 0;
    }
}

static void publish_due (int publish)
{
    char text [SP_MESSAGE_MAX];
    double due = (sp_now () - since) * rate - owed_sent;
    int batch = due < BATCH_MAX ? (int) due : BATCH_MAX;

    for (; batch > 0 && left != 0; --batch, ++sent, ++owed_sent) {
        int size = make_tick (text, (int) (sent % INSTRUMENTS),
            (long) (sent / INSTRUMENTS) + 1);

        if (nn_send (publish, text, (size_t) size, 0) < 0)
            sp_fail ("nn_send", "tick");
        if (left > 0)
            --left;
    }
    if (left == 0)
        running = 0;
}

int main (int argc, char *argv [])
{
    int publish, control, sockets [2];

    if (argc != 4) {
        fprintf (stderr, "usage: feed PRICES.csv PUBLISH CONTROL\n");
        return 2;
    }
    read_prices (argv [1]);
    publish = sockets [0] = sp_socket (AF_SP, NN_PUB, "feed.out");
    control = sockets [1] = sp_socket (AF_SP, NN_REP, "feed.control");
    sp_report_on (sockets, 2);
    sp_bind (publish, argv [2]);
    sp_bind (control, argv [3]);

    for (;;) {
        take_orders (control, publish, running ? 1 : 200);
        if (running)
            publish_due (publish);
        if (sp_report_due ()) {
            printf ("sent %lld subscribers %d\n", sent, (int) nn_get_statistic (
                publish, NN_STAT_CURRENT_CONNECTIONS));
            fflush (stdout);
        }
    }
}
