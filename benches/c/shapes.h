/* The shapes, each with what runs in its parts. Part of shape.h. Every part takes the three steps once in each thread. */

/* What both sides of a connection do first: the one with `bind` set listens. */
static struct sock *meet (enum kind kind, int bind, int number, int links)
{
    struct sock *sock = sock_open (kind, links);
    if (bind)
        sock_bind (sock, url (number));
    step ();
    if (!bind)
        sock_connect (sock, url (number));
    step ();
    if (bind && links)
        sock_links (sock, links);
    return sock;
}

/* ---- flow: one direction or both, so many threads for each at each side of one connection ---- */

struct lane {
    struct sock *sock;
    int source;
    struct tally *tally;
};

static void *flow_send (void *lane_)
{
    struct lane *lane = lane_;
    unsigned char *message = new_message ();
    for (uint64_t i = 0; !stopped (); i++) {
        send_message (lane->sock, message, lane->source, i, 0);
        count (&lane->tally->sent, 1);
    }
    leave ();
    return NULL;
}

static void *flow_recv (void *lane_)
{
    struct lane *lane = lane_;
    unsigned char *message = new_message ();
    uint64_t next[MOST_SOURCES] = {0};
    for (struct head head; recv_message (lane->sock, message, 1, &head); count (&lane->tally->received, 1)) {
        if (args.threads == 1) {
            expect (&head, next[0]++);
            continue;
        }
        expect_once (&head);
        if (head.number < next[head.source])
            fail ("error", "message %llu of %u came late", (unsigned long long) head.number, head.source);
        next[head.source] = head.number + 1;
    }
    return NULL;
}

static void *recv_nothing (void *sock)
{
    struct head head;
    recv_message (sock, new_message (), 1, &head);
    fail ("error", "a message came that nobody had sent");
}

static void flow_side (int side)
{
    if (!sockets_are_shared && (args.both || args.blocked || args.threads > 1))
        fail ("unsupported", "a socket is for one thread");
    enum kind kind = args.sub ? side ? PULL : PUSH : PAIR;
    struct sock *sock = meet (kind, side == 0, 0, 1);
    int sends = side == 0 || args.both, receives = side == 1 || args.both;
    enter (sends ? args.threads : 0);
    step ();
    if (side == 0 && args.blocked)
        start (recv_nothing, sock);
    for (int i = 0; i < args.threads; i++)
        for (int way = 0; way < 2; way++)
            if (way ? sends : receives) {
                struct lane *lane = malloc (sizeof *lane);
                *lane = (struct lane){sock, side * args.threads + i, new_tally ()};
                start (way ? flow_send : flow_recv, lane);
            }
}

static void flow_a (int index)
{
    flow_side (index);
}

static void flow_b (int index)
{
    flow_side (1 + index);
}

/* ---- loop: an epoll loop over sockets that receive ---- */

struct event_loop {
    int set, waiting; /* `waiting`: of `ready`, those that are */
    unsigned char *ready;
};

static struct event_loop loop_open (struct sock **socks, int sockets)
{
    struct event_loop loop = {epoll_create1 (EPOLL_CLOEXEC), sockets, calloc (1, (size_t) sockets)};
    memset (loop.ready, 1, (size_t) sockets); /* libzmq's descriptors tell of nothing that came before the first look */
    for (int i = 0; i < sockets; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.u32 = (uint32_t) i};
        if (epoll_ctl (loop.set, EPOLL_CTL_ADD, sock_fd (socks[i], args.direct), &event))
            fail ("error", "epoll_ctl: %s", strerror (errno));
    }
    return loop;
}

/* Those that epoll tells of are ready until they have nothing more; or, where descriptors tell again, for one turn. */
static void loop_wait (struct event_loop *loop)
{
    struct epoll_event events[64];
    int found = epoll_wait (loop->set, events, 64, loop->waiting ? 0 : -1);
    for (int i = 0; i < found; i++) {
        loop->waiting += !loop->ready[events[i].data.u32];
        loop->ready[events[i].data.u32] = 1;
    }
}

static void loop_empty (struct event_loop *loop, int i)
{
    loop->ready[i] = 0;
    loop->waiting--;
}

/* How often each message has to come: to one of the sockets, or to all. */
static uint64_t loop_copies (void)
{
    return args.sub ? (uint64_t) args.number : 1;
}

static void loop_source (int index)
{
    struct sock *sock = sock_open (args.sub ? PUB : PUSH, args.number), *acks = sock_open (PULL, 0);
    unsigned char *message = new_message ();
    struct tally *tally = new_tally ();
    (void) index;
    sock_bind (sock, url (0));
    sock_bind (acks, url (1));
    step ();
    step ();
    sock_links (sock, args.number);
    for (; args.sub && atomic_load (&shared->greeted) < args.number; sleep_for (0.002)) /* to await subscriptions */
        send_message (sock, message, 0, GREETING, 0);
    enter (1);
    step ();
    for (uint64_t i = 0, acknowledged = 0;;) {
        int ending = stopped ();
        if (ending && acknowledged == i)
            break;
        if (!ending || (args.window && i % (uint64_t) args.batch)) {
            send_message (sock, message, 0, i++, 0);
            count (&tally->sent, loop_copies ());
        }
        if (!args.window)
            acknowledged = i;
        else if (i == acknowledged + (uint64_t) args.window || (ending && i % (uint64_t) args.batch == 0))
            recv_next (acks, message, acknowledged += (uint64_t) args.batch);
    }
    leave ();
}

struct inlet {
    struct sock *sock;
    int greeted;
    uint64_t next;
};

/* What has come: -1 for nothing, 0 for a greeting, 1 for a message. */
static int loop_take (struct inlet *inlet, unsigned char *message)
{
    struct head head;
    if (!recv_message (inlet->sock, message, 0, &head))
        return -1;
    if (head.number == GREETING) {
        if (!inlet->greeted++)
            atomic_fetch_add (&shared->greeted, 1);
        return 0;
    }
    if (head.number < inlet->next || (args.sub && args.window && head.number > inlet->next))
        fail ("error", "message %llu came, expected %llu", (unsigned long long) head.number,
              (unsigned long long) inlet->next);
    if (!args.sub)
        expect_once (&head);
    inlet->next = head.number + 1;
    return 1;
}

static void loop_sink (int index)
{
    struct inlet inlets[args.number];
    struct sock *socks[args.number], *acks = sock_open (PUSH, 0);
    unsigned char *message = new_message ();
    uint64_t got = 0, batch = loop_copies () * (uint64_t) args.batch, acknowledged = 0;
    struct tally *tally = new_tally ();
    (void) index;
    for (int i = 0; i < args.number; i++)
        inlets[i] = (struct inlet){socks[i] = sock_open (args.sub ? SUB : PULL, 0), 0, 0};
    step ();
    for (int i = 0; i < args.number; i++)
        sock_connect (socks[i], url (0));
    sock_connect (acks, url (1));
    step ();
    struct event_loop loop = loop_open (socks, args.number);
    int greeting = args.sub;
    if (!greeting)
        step ();
    for (;;) {
        loop_wait (&loop);
        for (int i = 0; i < args.number; i++) {
            for (int taken = 0; loop.ready[i] && taken < args.take; taken++) {
                int some = loop_take (&inlets[i], message);
                if (some < 0)
                    loop_empty (&loop, i);
                else if (some) {
                    count (&tally->received, 1);
                    if (++got == batch) {
                        send_message (acks, message, 0, acknowledged += (uint64_t) args.batch, 0);
                        got = 0;
                    }
                }
            }
            if (loop.ready[i] && descriptors_tell_again)
                loop_empty (&loop, i);
        }
        if (greeting && atomic_load (&shared->greeted) == args.number) {
            greeting = 0;
            step ();
        }
    }
}

/* ---- poll: one call waits for all sockets ---- */

static void poll_side (int side)
{
    struct sock *socks[args.number];
    unsigned char *message = new_message (), ready[args.number];
    uint64_t sent[args.number];
    int waiting = 0;
    struct tally *tally = new_tally ();
    memset (sent, 0, sizeof sent);
    for (int i = 0; i < args.number; i++) {
        socks[i] = sock_open (side ? REP : REQ, 0);
        if (side)
            sock_bind (socks[i], url (i));
    }
    step ();
    for (int i = 0; !side && i < args.number; i++)
        sock_connect (socks[i], url (i));
    step ();
    struct poll_set *set = poll_open (socks, args.number);
    enter (!side);
    step ();
    for (; !side && waiting < (args.one ? 1 : args.number); waiting++) {
        send_message (socks[waiting], message, 0, sent[waiting], 0);
        count (&tally->sent, 1);
    }
    while (side || waiting) {
        poll_wait (set, ready);
        for (int i = 0; i < args.number; i++) {
            struct head head;
            if (!ready[i] || !recv_message (socks[i], message, 0, &head))
                continue;
            expect (&head, sent[i]++);
            if (side) {
                send_message (socks[i], message, 0, head.number, 0);
                continue;
            }
            count (&tally->received, 1);
            waiting--;
            if (!stopped ()) {
                int next = args.one ? (i + 1) % args.number : i;
                send_message (socks[next], message, 0, sent[next], 0);
                count (&tally->sent, 1);
                waiting++;
            }
        }
    }
    leave ();
}

static void poll_a (int index)
{
    poll_side (index);
}

static void poll_b (int index)
{
    poll_side (1 + index);
}

/* ---- device: clients, a device, workers ---- */

static void ask (struct sock *sock, unsigned char *message, int source, uint64_t number)
{
    struct head head;
    send_message (sock, message, source, number, 0);
    recv_message (sock, message, 1, &head);
    expect (&head, number);
    if (head.source != (uint32_t) source)
        fail ("error", "%d got the answer to %u", source, head.source);
}

static _Noreturn void answer (struct sock *sock)
{
    unsigned char *message = new_message ();
    for (;;) {
        struct head head;
        recv_message (sock, message, 1, &head);
        send_message (sock, message, (int) head.source, head.number, 0);
    }
}

static void device_client (int index)
{
    struct sock *sock = meet (REQ, 0, 0, 0);
    unsigned char *message = new_message ();
    struct tally *tally = new_tally ();
    enter (1);
    step ();
    for (uint64_t i = 0; !stopped (); i++) {
        count (&tally->sent, 1);
        ask (sock, message, index, i);
        count (&tally->received, 1);
    }
    leave ();
}

static void device_middle (int index)
{
    char front[128];
    (void) index;
    strcpy (front, url (0));
    device_open (front, url (1));
    step ();
    step ();
    step ();
    device_run ();
}

static void device_worker (int index)
{
    struct sock *sock = meet (REP, 0, 1, 0);
    (void) index;
    step ();
    answer (sock);
}

/* ---- farm: a ventilator, workers, and a sink that tells the ventilator when a batch is done ---- */

static void farm_ventilator (int index)
{
    struct sock *tasks = sock_open (PUSH, 0), *done = sock_open (PULL, 0);
    unsigned char *message = new_message ();
    struct tally *tally = new_tally ();
    (void) index;
    sock_bind (tasks, url (0));
    sock_bind (done, url (1));
    step ();
    step ();
    enter (1);
    step ();
    for (uint64_t i = 0; !stopped ();) {
        for (int end = 0; end < BATCH; end++)
            send_message (tasks, message, 0, i++, 0);
        count (&tally->sent, BATCH);
        recv_next (done, message, i);
    }
    leave ();
}

static void farm_worker (int index)
{
    struct sock *tasks = sock_open (PULL, 0), *results = sock_open (PUSH, 0);
    unsigned char *message = new_message ();
    (void) index;
    step ();
    sock_connect (tasks, url (0));
    sock_connect (results, url (2));
    step ();
    step ();
    for (struct head head; recv_message (tasks, message, 1, &head);)
        send_message (results, message, 0, head.number, 0);
}

static void farm_sink (int index)
{
    struct sock *results = sock_open (PULL, 0), *done = sock_open (PUSH, 0);
    unsigned char *message = new_message ();
    struct tally *tally = new_tally ();
    (void) index;
    sock_bind (results, url (2));
    step ();
    sock_connect (done, url (1));
    step ();
    step ();
    uint64_t got = 0;
    for (struct head head; recv_message (results, message, 1, &head);) {
        expect_once (&head);
        count (&tally->received, 1);
        if (++got % BATCH == 0)
            send_message (done, message, 0, got, 0);
    }
}

/* ---- pace: one message at a time, at a certain time; how long it takes ---- */

static void pace_send (struct sock *sock, void (*note) (uint64_t number, uint64_t now))
{
    unsigned char *message = new_message ();
    struct tally *tally = new_tally ();
    uint64_t due = now_ns (), copies = note ? (uint64_t) args.number : 1;
    for (uint64_t i = 0; !stopped (); i++) {
        uint64_t now = now_ns ();
        if (note)
            note (i, now);
        send_message (sock, message, 0, i, now);
        count (&tally->sent, copies);
        due += (uint64_t) args.period_us * 1000;
        now = now_ns ();
        if (due > now) /* else it is late, and does not catch up by sending many at once */
            sleep_for ((double) (due - now) / 1e9);
        else
            due = now;
    }
    leave ();
}

static void pace_source (int index)
{
    struct sock *sock = meet (PAIR, 1, 0, 1);
    (void) index;
    enter (1);
    step ();
    pace_send (sock, NULL);
}

static void pace_sink (int index)
{
    struct sock *sock = meet (PAIR, 0, 0, 0);
    unsigned char *message = new_message ();
    struct tally *tally = new_tally ();
    struct event_loop loop = {0};
    (void) index;
    if (args.take)
        loop = loop_open (&sock, 1);
    step ();
    for (uint64_t i = 0;;) {
        struct head head;
        if (args.take && !loop.waiting)
            loop_wait (&loop);
        if (!recv_message (sock, message, !args.take, &head)) {
            loop_empty (&loop, 0);
            continue;
        }
        sample (now_ns () - head.stamp);
        expect (&head, i++);
        count (&tally->received, 1);
    }
}

/* ---- last: one publisher; how long until the last subscriber has a message ---- */

static void note_sent (uint64_t number, uint64_t now)
{
    if (number >= MOST_SAMPLES || atomic_load (&shared->phase) != MEASURING)
        return;
    atomic_store (&shared->arrivals[number].sent, now);
    atomic_store (&shared->in_time, 1);
}

static void last_source (int index)
{
    struct sock *sock = meet (PUB, 1, 0, args.number);
    unsigned char *message = new_message ();
    (void) index;
    for (; atomic_load (&shared->greeted) < args.number; sleep_for (0.002))
        send_message (sock, message, 0, GREETING, 0);
    enter (1);
    step ();
    pace_send (sock, note_sent);
}

static void last_sink (int index)
{
    struct sock *sock = meet (SUB, 0, 0, 0);
    unsigned char *message = new_message ();
    struct tally *tally = new_tally ();
    struct head head;
    (void) index;
    recv_next (sock, message, GREETING);
    atomic_fetch_add (&shared->greeted, 1);
    step ();
    while (recv_message (sock, message, 1, &head) && head.number == GREETING)
        ;
    for (uint64_t i = 0;; recv_message (sock, message, 1, &head)) {
        uint64_t now = now_ns (), last;
        expect (&head, i++);
        count (&tally->received, 1);
        if (head.number >= MOST_SAMPLES)
            continue;
        struct arrival *arrival = &shared->arrivals[head.number];
        last = atomic_load (&arrival->last);
        while (last < now && !atomic_compare_exchange_weak (&arrival->last, &last, now))
            ;
        atomic_fetch_add (&arrival->reached, 1);
    }
}

static void last_arrived (void)
{
    for (int i = 0; i < MOST_SAMPLES; i++) {
        struct arrival *arrival = &shared->arrivals[i];
        if (!arrival->sent)
            continue;
        if (arrival->reached != (uint32_t) args.number)
            fail ("error", "message %d has reached %u of %d", i, arrival->reached, args.number);
        shared->samples[shared->samples_used++] = (uint32_t) (arrival->last - arrival->sent);
    }
}

/* ---- oneshot: clients that connect, ask once and close ---- */

static void oneshot_client (int index)
{
    unsigned char *message = new_message ();
    struct tally *tally = new_tally ();
    (void) index;
    enter (1);
    for (int i = 0; i < 3; i++)
        step ();
    for (uint64_t i = 0; !stopped (); i++) {
        struct sock *sock = sock_open (REQ, 0);
        count (&tally->sent, 1);
        sock_connect (sock, url (0));
        ask (sock, message, 0, i);
        sock_close (sock);
        count (&tally->received, 1);
    }
    leave ();
}

static void oneshot_server (int index)
{
    struct sock *sock = meet (REP, 1, 0, 0);
    (void) index;
    step ();
    answer (sock);
}

/* ---- idle: connected sockets and nothing to do, or one call that waits ---- */

static void idle_side (int side)
{
    struct sock *socks[args.number];
    unsigned char *message = new_message ();
    for (int i = 0; i < args.number; i++) {
        socks[i] = sock_open (PAIR, 0);
        if (side == 0)
            sock_bind (socks[i], url (i));
    }
    step ();
    for (int i = 0; side && i < args.number; i++)
        sock_connect (socks[i], url (i));
    step ();
    for (int i = 0; i < args.number; i++) { /* each has been used once */
        if (side)
            send_message (socks[i], message, 0, 0, 0);
        recv_next (socks[i], message, 0);
        if (!side)
            send_message (socks[i], message, 0, 0, 0);
    }
    step ();
    if (args.blocked && side == 0)
        recv_nothing (socks[0]);
}

static void idle_a (int index)
{
    idle_side (index);
}

static void idle_b (int index)
{
    idle_side (1 + index);
}

/* ---- survey: everybody answers everything ---- */

static void survey_surveyor (int index)
{
    struct sock *sock = meet (SURVEYOR, 1, 0, args.number);
    unsigned char *message = new_message (), answered[args.number];
    struct tally *tally = new_tally ();
    (void) index;
    enter (1);
    step ();
    for (uint64_t i = 0; !stopped (); i++) {
        memset (answered, 0, sizeof answered);
        send_message (sock, message, 0, i, 0);
        count (&tally->sent, 1);
        for (int n = 0; n < args.number; n++) {
            struct head head;
            recv_message (sock, message, 1, &head);
            expect (&head, i);
            if (head.source >= (uint32_t) args.number || answered[head.source]++)
                fail ("error", "%u has answered before", head.source);
        }
        count (&tally->received, 1);
    }
    leave ();
}

static void survey_respondent (int index)
{
    struct sock *sock = meet (RESPONDENT, 0, 0, 0);
    unsigned char *message = new_message ();
    step ();
    for (uint64_t i = 0;; i++) {
        recv_next (sock, message, i);
        send_message (sock, message, index, i, 0);
    }
}

/* ---- bus: six members, each connected with each; a member sends when it has got what all have sent before ---- */

enum { MEMBERS = 6 };

static void bus_member (int index)
{
    struct sock *sock = sock_open (BUS, MEMBERS - 1);
    unsigned char *message = new_message ();
    uint64_t next[MEMBERS] = {0};
    struct tally *tally = new_tally ();
    sock_bind (sock, url (index));
    step ();
    for (int i = 0; i < index; i++)
        sock_connect (sock, url (i));
    step ();
    sock_links (sock, MEMBERS - 1);
    step ();
    for (uint64_t i = 0;; i++) {
        send_message (sock, message, index, i, 0);
        next[index] = i + 1;
        for (int behind = 1; behind;) {
            behind = 0;
            for (int n = 0; n < MEMBERS; n++)
                behind += next[n] <= i;
            struct head head;
            if (!behind)
                break;
            recv_message (sock, message, 1, &head);
            if (head.source >= MEMBERS)
                fail ("error", "there is no member %u", head.source);
            expect (&head, next[head.source]++);
            count (&tally->received, 1);
        }
    }
}

static const struct shape shapes[] = {
    {"flow", RATE, 0, NULL, {{flow_a, 1, 1}, {flow_b, 1, 1}}},
    {"loop", RATE, 0, NULL, {{loop_source, 1, 1}, {loop_sink, 1, 1}}},
    {"flood", RATE, 1, NULL, {{loop_source, 1, 1}, {loop_sink, 1, 1}}}, /* of SUBs, which lose what there is no room for */
    {"poll", RATE, 0, NULL, {{poll_a, 1, 1}, {poll_b, 1, 1}}},
    {"device", RATE, 0, NULL, {{device_client, 1, 8}, {device_middle, 1, 1}, {device_worker, 1, 4}}},
    {"farm", RATE, 0, NULL, {{farm_ventilator, 1, 1}, {farm_worker, 4, 1}, {farm_sink, 1, 1}}},
    {"pace", LATENCY, 0, NULL, {{pace_source, 1, 1}, {pace_sink, 1, 1}}},
    {"last", LATENCY, 0, last_arrived, {{last_source, 1, 1}, {last_sink, 4, 0}}},
    {"oneshot", RATE, 0, NULL, {{oneshot_client, 1, 1}, {oneshot_server, 1, 1}}},
    {"idle", IDLE, 0, NULL, {{idle_a, 1, 1}, {idle_b, 1, 1}}},
    {"survey", RATE, 0, NULL, {{survey_surveyor, 1, 1}, {survey_respondent, 1, 0}}},
    {"bus", RATE, 1, NULL, {{bus_member, MEMBERS, 1}}}, /* when the measuring ends, its members are ended in the middle */
    {NULL, RATE, 0, NULL, {{NULL, 0, 0}}},
};
