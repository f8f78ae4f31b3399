/* A peer of the interop tests: one socket of one library, in a process of its own, that does what it is told.

   Usage: PEER ROLE bind|connect ADDRESS
          PEER device bind|connect ADDRESS bind|connect ADDRESS    a raw REP and a raw REQ with a device between them

   It prints "ready" when the addresses are taken, then reads orders, one a line, and answers each with one line:

     send FROM COUNT         "sent COUNT"
     recv FROM COUNT         "received COUNT"; exactly these messages, in this order
     both FROM COUNT         "exchanged COUNT"; sends and receives at the same time
     last FROM LAST          "reached LAST"; receives until that one, messages may be missing but not come back
     ask FROM COUNT          "asked COUNT"; requests or surveys, each with its answer. A survey is repeated when its
                             deadline passes, as surveys may be lost
     answer FROM COUNT       "answered COUNT"
     take NUMBER             "took NUMBER"; receives the request and leaves it unanswered
     serve FROM              nothing; answers until the process is killed
     greet                   "greeted"; sends a message that `recv` skips and `hear` waits for
     hear                    "heard"
     peers COUNT             "COUNT peers"; waits until so many connections live

   Anything unexpected is one line "failed: ..." and the end of the process. Message number N of a sender is the same
   bytes in every process, so a receiver knows what to expect without being told.

   Over TLS a side that binds shows the certificate in $CERTIFICATE, where its key stands too, and one that connects trusts
   those in $AUTHORITY alone; both are PEM.

   The including file provides the library: the functions declared under "What a library provides". */

#ifndef PEER_H
#define PEER_H

#define _GNU_SOURCE
#include <endian.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

enum {
    USUAL = 5000,     /* bytes of a message at most */
    LARGEST = 4 << 20 /* bytes of one of those from LARGE on */,
    PATIENCE = 25000, /* ms that one call may take */
    DEADLINE = 300,   /* ms of a survey */
    LIFE = 150        /* s; a peer that lost its test ends by itself */
};

enum role { PAIR, PUB, SUB, REQ, REP, PUSH, PULL, SURVEYOR, RESPONDENT, BUS };

static const char *const role_names[] = {"pair", "pub",  "sub",      "req",        "rep",
                                         "push", "pull", "surveyor", "respondent", "bus"};

/* ---- What a library provides ---- */

/* Opens the one socket, with PATIENCE for its calls and DEADLINE for its surveys; a SUB takes everything. */
static void socket_open (enum role role);
static void socket_attach (int bind, const char *address);
static void socket_send (const unsigned char *message, size_t size);
/* The message's length, even if it is longer than the buffer, or -1 when the time was up. */
static long socket_recv (unsigned char *message, size_t room);
static int socket_peers (void);
/* Does not return. */
static void device (const int *bind, char *const *address);

/* ---- Shared ---- */

static enum role role;

static _Noreturn void fail (const char *format, ...)
{
    va_list list;
    va_start (list, format);
    fputs ("failed: ", stdout);
    vprintf (format, list);
    putchar ('\n');
    fflush (stdout);
    _exit (1);
}

static int is_tls (const char *address)
{
    return !strncmp (address, "tls+tcp:", 8) || !strncmp (address, "wss:", 4);
}

static const char *pem (const char *variable)
{
    const char *text = getenv (variable);
    if (!text)
        fail ("there is no $%s", variable);
    return text;
}

static const char *authority (void)
{
    return pem ("AUTHORITY");
}

static const char *certificate (void)
{
    return pem ("CERTIFICATE");
}

static void nap (void)
{
    nanosleep (&(struct timespec){0, 1000000}, NULL);
}

/* ---- Messages ---- */

/* Messages from this number on have one to four MiB. */
#define LARGE (UINT64_C (1) << 40)

static const char GREETING[] = "a greeting";

/* Requests and their answers differ. */
enum kind { PLAIN, ANSWER };

static uint64_t mix (uint64_t x)
{
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

/* Mostly a few KiB, one in eight at most seven bytes, and none of those beside another. */
static size_t size_of (enum kind kind, uint64_t number)
{
    uint64_t dice = mix (number * 2 + kind) >> 8;
    if (number >= LARGE)
        return LARGEST - number % 4 * (LARGEST / 4) - dice % 1000;
    return number % 8 == 0 ? (number / 8 + kind) % 8 : 8 + dice % (number % 8 == 1 ? USUAL - 8 : 2000);
}

static unsigned char *memory (size_t size)
{
    unsigned char *bytes = malloc (size);
    if (!bytes)
        fail ("no memory");
    return bytes;
}

static size_t message (enum kind kind, uint64_t number, unsigned char *bytes)
{
    size_t size = size_of (kind, number);
    uint64_t state = mix (~(number * 2 + kind)), word = number;
    for (size_t at = 0; at < size; at += 8) {
        uint64_t same = htole64 (word); /* on every machine */
        memcpy (bytes + at, &same, size - at < 8 ? size - at : 8);
        word = mix (state + at);
    }
    return size;
}

static int is_message (const unsigned char *bytes, size_t size, enum kind kind, uint64_t number)
{
    if (size != size_of (kind, number))
        return 0;
    unsigned char *expected = memory (size + 8);
    int same = !memcmp (bytes, expected, message (kind, number, expected));
    free (expected);
    return same;
}

static void send_message (enum kind kind, uint64_t number)
{
    unsigned char *bytes = memory (size_of (kind, number) + 8);
    socket_send (bytes, message (kind, number, bytes));
    free (bytes);
}

/* Returns which of the messages FIRST to LAST has come, or LAST + 1 when the time was up; any other is a failure. */
static uint64_t receive (enum kind kind, uint64_t first, uint64_t last)
{
    static unsigned char bytes[LARGEST + USUAL]; /* one thread receives */
    for (;;) {
        long size = socket_recv (bytes, sizeof bytes);
        if (size < 0)
            return last + 1;
        for (uint64_t number = first; number <= last && (size_t) size <= LARGEST; number++)
            if (is_message (bytes, (size_t) size, kind, number))
                return number;
        if (size != sizeof GREETING || memcmp (bytes, GREETING, sizeof GREETING))
            fail ("not one of %llu to %llu: %ld bytes %02x%02x%02x%02x...", (unsigned long long) first,
                  (unsigned long long) last, size, bytes[0], bytes[1], bytes[2], bytes[3]);
    }
}

static void receive_exactly (enum kind kind, uint64_t number)
{
    if (receive (kind, number, number) != number)
        fail ("number %llu did not come", (unsigned long long) number);
}

/* ---- Orders ---- */

struct range {
    uint64_t from, count;
};

static void *send_range (void *range)
{
    const struct range *r = range;
    for (uint64_t i = r->from; i < r->from + r->count; i++)
        send_message (PLAIN, i);
    return NULL;
}

static void recv_range (const struct range *r)
{
    for (uint64_t i = r->from; i < r->from + r->count; i++)
        receive_exactly (PLAIN, i);
}

static void ask (uint64_t number)
{
    for (int tries = 0; tries < PATIENCE / DEADLINE; tries++) {
        send_message (PLAIN, number);
        if (receive (ANSWER, number, number) == number)
            return;
        if (role != SURVEYOR)
            break;
    }
    fail ("no answer to %llu", (unsigned long long) number);
}

/* Answers requests until the last one has been answered. One that comes again is answered again. */
static void answer (uint64_t from, uint64_t last)
{
    for (uint64_t next = from; next <= last;) {
        uint64_t number = receive (PLAIN, next == from ? from : next - 1, next);
        if (number > next)
            fail ("request %llu did not come", (unsigned long long) next);
        send_message (ANSWER, number);
        if (number == next)
            next++;
    }
}

static void obey (const char *order, uint64_t a, uint64_t b)
{
    struct range range = {a, b};
    unsigned long long number = a, count = b;
    if (!strcmp (order, "send")) {
        send_range (&range);
        printf ("sent %llu\n", count);
    } else if (!strcmp (order, "recv")) {
        recv_range (&range);
        printf ("received %llu\n", count);
    } else if (!strcmp (order, "both")) {
        pthread_t sender;
        if (pthread_create (&sender, NULL, send_range, &range))
            fail ("no thread");
        recv_range (&range);
        pthread_join (sender, NULL);
        printf ("exchanged %llu\n", count);
    } else if (!strcmp (order, "last")) {
        for (uint64_t next = a; next <= b; next++)
            if ((next = receive (PLAIN, next, b)) > b)
                fail ("number %llu did not come", count);
        printf ("reached %llu\n", count);
    } else if (!strcmp (order, "ask")) {
        for (uint64_t i = a; i < a + b; i++)
            ask (i);
        printf ("asked %llu\n", count);
    } else if (!strcmp (order, "answer")) {
        answer (a, a + b - 1);
        printf ("answered %llu\n", count);
    } else if (!strcmp (order, "take")) {
        /* Before the one that is wanted an earlier one may come again. */
        while (receive (PLAIN, a ? a - 1 : 0, a) != a)
            send_message (ANSWER, a - 1);
        printf ("took %llu\n", number);
    } else if (!strcmp (order, "serve")) {
        answer (a, UINT64_MAX - 1);
    } else if (!strcmp (order, "greet")) {
        socket_send ((const unsigned char *) GREETING, sizeof GREETING);
        printf ("greeted\n");
    } else if (!strcmp (order, "hear")) {
        unsigned char bytes[sizeof GREETING];
        if (socket_recv (bytes, sizeof bytes) != sizeof bytes || memcmp (bytes, GREETING, sizeof bytes))
            fail ("no greeting");
        printf ("heard\n");
    } else if (!strcmp (order, "peers")) {
        for (int waited = 0; socket_peers () != (int) a; waited++, nap ())
            if (waited > PATIENCE)
                fail ("%d peers instead of %llu", socket_peers (), number);
        printf ("%llu peers\n", number);
    } else
        fail ("no such order: %s", order);
}

static int is_bind (const char *word)
{
    if (strcmp (word, "bind") && strcmp (word, "connect"))
        fail ("neither bind nor connect: %s", word);
    return !strcmp (word, "bind");
}

int main (int argc, char **argv)
{
    char line[100], order[20];

    setvbuf (stdout, NULL, _IOLBF, 0);
    prctl (PR_SET_PDEATHSIG, SIGKILL);
    alarm (LIFE);
    if (argc == 6 && !strcmp (argv[1], "device")) {
        device ((int[]){is_bind (argv[2]), is_bind (argv[4])}, (char *[]){argv[3], argv[5]});
        fail ("the device ended");
    }
    if (argc != 4)
        fail ("usage: %s ROLE bind|connect ADDRESS", argv[0]);
    while (strcmp (role_names[role], argv[1]))
        if (++role > BUS)
            fail ("no such role: %s", argv[1]);
    socket_open (role);
    socket_attach (is_bind (argv[2]), argv[3]);
    printf ("ready\n");
    while (fgets (line, sizeof line, stdin)) {
        unsigned long long a = 0, b = 0;
        if (sscanf (line, "%19s %llu %llu", order, &a, &b) >= 1)
            obey (order, a, b);
    }
    _exit (0); /* what is still open ends with the process */
}

#endif
