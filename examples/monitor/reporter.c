#include "reporter.h"

#include <nanomsg/nn.h>
#include <nanomsg/pubsub.h>
#include <nanomsg-rs/monitor.h>

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define INTERVAL 1000  /* milliseconds */
#define TOPIC "statistics "

struct reporter {
    int out;        /* PUB, bound to the addresses */
    int events;     /* SUB, connected to the monitors of all sockets */
    int count;
    int sockets [];
};

static long long now (void)
{
    struct timespec time;

    clock_gettime (CLOCK_MONOTONIC, &time);
    return (long long) time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

static void publish_events (struct reporter *self)
{
    void *event;

    while (nn_recv (self->events, &event, NN_MSG, NN_DONTWAIT) >= 0)
        if (nn_send (self->out, &event, NN_MSG, 0) < 0)
            nn_freemsg (event);
}

/*  "statistics {...}" of one socket. Its document may have become longer since
    it was asked how long it is. 0, or -1 if the socket is closed. */
static int publish_statistics (struct reporter *self, int s)
{
    size_t room = 4096, size, topic = strlen (TOPIC);
    char *text;

    for (;; room = size + 1024) {
        text = nn_allocmsg (topic + room, 0);
        if (!text)
            return 0;
        size = room;
        if (nn_getsockopt (s, NN_SOL_SOCKET, NN_STATISTICS, text + topic, &size) < 0) {
            nn_freemsg (text);
            return nn_errno () == EBADF ? -1 : 0;
        }
        if (size <= room)
            break;
        nn_freemsg (text);
    }
    memcpy (text, TOPIC, topic);
    nn_send (self->out, text, topic + size, 0);
    nn_freemsg (text);
    return 0;
}

static void *report (void *argument)
{
    struct reporter *self = argument;
    struct nn_pollfd wait = {self->events, NN_POLLIN, 0};
    long long due = now (), rest;
    int i;

    for (;;) {
        rest = due - now ();
        if (rest <= 0) {
            due = now () + (rest = INTERVAL);
            for (i = 0; i < self->count; ++i)
                if (publish_statistics (self, self->sockets [i]) < 0)
                    self->sockets [i--] = self->sockets [--self->count];
        }
        if (nn_poll (&wait, 1, (int) rest) < 0 && nn_errno () != EINTR)
            return NULL;  /* nn_term */
        publish_events (self);
    }
}

static int start (struct reporter *self, const int *sockets, int count, char *addresses)
{
    pthread_t thread;
    char *address, *rest = NULL, private [64];
    int i, error;

    if (nn_setsockopt (self->events, NN_SUB, NN_SUB_SUBSCRIBE, "", 0) < 0)
        return -1;
    for (address = strtok_r (addresses, " ", &rest); address; address = strtok_r (NULL, " ", &rest))
        if (nn_bind (self->out, address) < 0)
            return -1;
    for (i = 0; i != count; ++i) {
        self->sockets [self->count++] = sockets [i];
        snprintf (private, sizeof (private), "inproc://reporter-%p-%d", (void*) self, i);
        /*  Connected before there is anything to hear. */
        if (nn_connect (self->events, private) < 0 ||
              nn_setsockopt (sockets [i], NN_SOL_SOCKET, NN_MONITOR, private, strlen (private)) < 0)
            return -1;
    }
    error = pthread_create (&thread, NULL, report, self);
    if (error) {
        errno = error;
        return -1;
    }
    pthread_detach (thread);
    return 0;
}

int reporter_start (const int *sockets, int count, const char *addresses)
{
    struct reporter *self;
    char *copy;
    int result, error;

    if (!addresses || !addresses [strspn (addresses, " ")])
        return 0;
    self = calloc (1, sizeof (*self) + (size_t) count * sizeof (int));
    copy = strdup (addresses);
    if (!self || !copy) {
        free (self);
        free (copy);
        errno = ENOMEM;
        return -1;
    }
    self->out = nn_socket (AF_SP, NN_PUB);
    self->events = nn_socket (AF_SP, NN_SUB);
    result = self->out < 0 || self->events < 0 ? -1 : start (self, sockets, count, copy);
    error = nn_errno ();
    free (copy);
    if (result < 0) {
        nn_close (self->out);
        nn_close (self->events);
        free (self);
        errno = error;
    }
    return result;
}
