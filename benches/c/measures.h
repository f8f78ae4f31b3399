/* The measuring loops: round trips, streams, fan-out, and a crowd of connections. Part of bench.h. */

/* ---- What the results have in common ---- */

/* Ends the line that the caller has begun. */
static void print_cost (const struct usage *a, double messages)
{
    const struct usage *b = &shared->usage;
    printf (", \"cpu_us\": %.5f, \"voluntary\": %.5f, \"involuntary\": %.5f}\n", (a->cpu + b->cpu) * 1e6 / messages,
            (a->voluntary + b->voluntary) / messages, (a->involuntary + b->involuntary) / messages);
}

/* `timed` of the `messages` have passed in `seconds`. */
static void print_rate (const struct args *args, double messages, double timed, double seconds, const struct usage *a)
{
    double rate = timed / seconds;
    printf ("{\"count\": %llu, \"seconds\": %.6f, \"msgs_per_s\": %.1f, \"mb_per_s\": %.3f", (unsigned long long) args->count,
            seconds, rate, rate * (double) args->size / 1e6);
    print_cost (a, messages);
}

/* Side B: until all connections have been made. */
static void await_connections (struct side *side, const struct args *args)
{
    while (links (args) > 1 && side_connections (side) < links (args))
        nap ();
    atomic_store (&shared->connected, 1);
}

/* ---- Round trips ---- */

static int by_value (const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *) a, y = *(const uint32_t *) b;
    return (x > y) - (x < y);
}

/* Times are one-way: half a round trip. The first twentieth warms up and is not counted. */
static void rtt_a (struct side *side, const struct args *args)
{
    uint64_t warm = args->count / 20, samples = args->count - warm, sum = 0;
    uint32_t *took = malloc (samples * sizeof *took);
    if (!took)
        fail ("error", "no memory for the samples");
    memset (took, 0, samples * sizeof *took); /* page faults now, not while measuring */

    struct usage begin = usage_now ();
    uint64_t last = 0;
    for (uint64_t i = 0; i < args->count; i++) {
        if (i == warm)
            last = now_ns ();
        send_one (side, args, i);
        side_flush (side);
        recv_one (side, args, i);
        if (i >= warm) {
            uint64_t now = now_ns ();
            took[i - warm] = (uint32_t) (now - last < UINT32_MAX ? now - last : UINT32_MAX);
            last = now;
        }
    }
    struct usage used = usage_since (begin);
    atomic_store (&shared->finished, 1);
    while (!atomic_load (&shared->received))
        nap ();

    for (uint64_t i = 0; i < samples; i++)
        sum += took[i];
    qsort (took, samples, sizeof *took, by_value);
    printf ("{\"count\": %llu, \"mean_us\": %.4f, \"p50_us\": %.4f, \"p99_us\": %.4f", (unsigned long long) args->count,
            (double) sum / (double) samples / 2e3, took[samples / 2] / 2e3, took[samples - 1 - samples / 100] / 2e3);
    print_cost (&used, 2.0 * (double) args->count);
    free (took);
}

static void rtt_b (struct side *side, const struct args *args)
{
    struct usage begin = usage_now ();
    for (uint64_t i = 0; i < args->count; i++) {
        recv_one (side, args, i);
        send_one (side, args, i);
        side_flush (side);
    }
    if (args->transport != INPROC)
        shared->usage = usage_since (begin);
    atomic_store (&shared->received, 1);
    while (!atomic_load (&shared->finished)) /* upstream's nn_close would discard the last echo */
        nap ();
}

/* ---- Streams ---- */

/* One of the threads that send a stream together: every so many-th message is its own. */
struct sender {
    struct side *side;
    const struct args *args;
    uint64_t first;
};

static void *send_share (void *sender_)
{
    const struct sender *sender = sender_;
    for (uint64_t i = sender->first; i < sender->args->count; i += (uint64_t) sender->args->threads)
        send_one (sender->side, sender->args, i);
    side_flush (sender->side);
    return NULL;
}

static void send_together (struct side *side, const struct args *args)
{
    pthread_t threads[MOST_THREADS] = {0};
    struct sender own = {side, args, 0}, others[MOST_THREADS];
    for (int i = 1; i < args->threads; i++) {
        others[i] = (struct sender){side_share (side), args, (uint64_t) i};
        if (pthread_create (&threads[i], NULL, send_share, &others[i]))
            fail ("error", "no thread");
    }
    send_share (&own);
    for (int i = 1; i < args->threads; i++)
        pthread_join (threads[i], NULL);
}

static void stream_a (struct side *side, const struct args *args)
{
    struct usage begin = usage_now ();
    send_together (side, args);
    if (args->pattern == PAIR)
        recv_one (side, args, args->count);
    else /* the pattern has no way back, and nothing else drives the library: what it gathered must leave by itself */
        while (!atomic_load (&shared->received))
            nap ();
    struct usage used = usage_since (begin);
    atomic_store (&shared->finished, 1);
    while (!atomic_load (&shared->received))
        nap ();
    print_rate (args, (double) args->count, (double) (args->count - 1), shared->seconds, &used);
}

/* Which messages have come, where several threads or connections bring them: each once, and those of one thread in
   their order. */
static void mark (unsigned char *seen, const struct args *args, uint64_t number)
{
    uint64_t before = number - (uint64_t) args->threads;
    if (number >= args->count || seen[number])
        fail ("error", "message %llu came twice, or was never sent", (unsigned long long) number);
    if (links (args) == 1 && number >= (uint64_t) args->threads && !seen[before])
        fail ("error", "message %llu came before %llu", (unsigned long long) number, (unsigned long long) before);
    seen[number] = 1;
}

/* The receiver measures, from its first message to its last. */
static void stream_b (struct side *side, const struct args *args)
{
    int ordered = args->threads == 1 && links (args) == 1;
    unsigned char *seen = malloc (ordered ? 1 : args->count);
    uint64_t first = 0;
    if (!seen)
        fail ("error", "no memory for the numbers");
    memset (seen, 0, ordered ? 1 : args->count);

    struct usage begin = usage_now ();
    for (uint64_t i = 0; i < args->count; i++) {
        if (ordered)
            recv_one (side, args, i);
        else
            mark (seen, args, recv_any (side, args));
        if (i == 0)
            first = now_ns ();
    }
    shared->seconds = (double) (now_ns () - first) / 1e9;
    if (args->transport != INPROC)
        shared->usage = usage_since (begin);
    atomic_store (&shared->received, 1);
    if (args->pattern == PAIR) {
        send_one (side, args, args->count);
        side_flush (side);
    }
    while (!atomic_load (&shared->finished))
        nap ();
    free (seen);
}

/* ---- Fan-out ---- */

static int binds (const struct args *args, enum role role)
{
    return role == (args->mode == FAN ? SIDE_A : SIDE_B);
}

/* Acknowledgements pass beside the library, so that they cost the same with all of them. */
static void acknowledge (const struct args *args)
{
    if ((atomic_fetch_add (&shared->acknowledged, 1) + 1) % (uint32_t) args->subs == 0)
        syscall (SYS_futex, &shared->acknowledged, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

static void await_all (const struct args *args, uint64_t window)
{
    uint32_t all = (uint32_t) (window * (uint64_t) args->subs), now;
    uint64_t until = now_ns () + PATIENCE * 1000000000ull;
    while ((now = atomic_load (&shared->acknowledged)) != all) {
        if (now_ns () > until)
            fail ("error", "%u of %d subscribers lack messages of window %llu", all - now, args->subs,
                  (unsigned long long) window);
        syscall (SYS_futex, &shared->acknowledged, FUTEX_WAIT, now, &(struct timespec){PATIENCE, 0}, NULL, 0);
    }
}

/* Windows that are not counted: memory that is used for the first time, caches that know nothing of it. */
enum { WARM_UP = 8 };

static void publish (struct side *side, const struct args *args, uint64_t from, uint64_t to, uint64_t acknowledged)
{
    uint64_t each = WINDOW * (args->topics ? (uint64_t) args->subs : 1); /* messages of a window */
    for (uint64_t w = from; w < to; w++) {
        for (uint64_t i = 0; i < each; i++)
            send_one (side, args, w * each + i);
        side_flush (side);
        await_all (args, ++acknowledged);
    }
}

static void fan_a (struct side *side, const struct args *args)
{
    uint64_t windows = (args->count + WINDOW - 1) / WINDOW, start;
    uint64_t until = now_ns () + PATIENCE * 1000000000ull;
    /* What is published before a subscriber has connected is not for it. */
    while (atomic_load (&shared->greeted) < args->subs) {
        if (now_ns () > until)
            fail ("error", "%d of %d subscribers got nothing", args->subs - atomic_load (&shared->greeted), args->subs);
        send_one (side, args, GREETING);
        side_flush (side);
        nanosleep (&(struct timespec){0, 2000000}, NULL);
    }
    publish (side, args, 0, WARM_UP, 0);
    send_one (side, args, BEGIN);
    side_flush (side);
    await_all (args, WARM_UP + 1);

    struct usage begin = usage_now ();
    start = now_ns ();
    publish (side, args, WARM_UP, WARM_UP + windows, WARM_UP + 1);
    double seconds = (double) (now_ns () - start) / 1e9;
    struct usage used = usage_since (begin);
    atomic_store (&shared->finished, 1);
    while (!atomic_load (&shared->received))
        nap ();
    double delivered = (double) (windows * WINDOW) * args->subs;
    print_rate (args, delivered, delivered, seconds, &used);
}

static pthread_barrier_t subscribers;

/* The messages of some windows, `number` being what has come of the first already. */
static void receive (struct side *side, const struct args *args, uint64_t from, uint64_t to, uint64_t number)
{
    uint64_t own = args->topics ? (uint64_t) args->subscriber : 0, stride = args->topics ? (uint64_t) args->subs : 1;
    for (uint64_t w = from; w < to; w++) {
        for (uint64_t i = number; i < WINDOW; i++)
            recv_one (side, args, own + stride * (w * WINDOW + i));
        acknowledge (args);
        number = 0;
    }
}

static void *subscriber (void *args_)
{
    const struct args *args = args_;
    struct side *side = side_open (args, SIDE_B);
    uint64_t windows = (args->count + WINDOW - 1) / WINDOW, number;
    if (recv_any (side, args) != GREETING)
        fail ("error", "a subscriber got something else than a greeting first");
    atomic_fetch_add (&shared->greeted, 1);
    while ((number = recv_any (side, args)) == GREETING)
        ;
    if (number != (args->topics ? (uint64_t) args->subscriber : 0))
        fail ("error", "message %llu came first", (unsigned long long) number);
    receive (side, args, 0, WARM_UP, 1);
    if (recv_any (side, args) != BEGIN)
        fail ("error", "something else than the beginning came behind the first windows");
    pthread_barrier_wait (&subscribers); /* the processor time is read here */
    pthread_barrier_wait (&subscribers);
    acknowledge (args);
    receive (side, args, WARM_UP, WARM_UP + windows, 0);
    pthread_barrier_wait (&subscribers);
    while (!atomic_load (&shared->finished))
        nap ();
    side_close (side);
    return NULL;
}

static void fan_b (const struct args *args)
{
    pthread_t threads[MOST_SUBS];
    static struct args each[MOST_SUBS];
    pthread_barrier_init (&subscribers, NULL, (unsigned) args->subs + 1);
    for (int i = 0; i < args->subs; i++) {
        each[i] = *args;
        each[i].subscriber = i;
        if (pthread_create (&threads[i], NULL, subscriber, &each[i]))
            fail ("error", "no thread");
    }
    pthread_barrier_wait (&subscribers);
    struct usage begin = usage_now ();
    pthread_barrier_wait (&subscribers);
    pthread_barrier_wait (&subscribers);
    shared->usage = usage_since (begin);
    atomic_store (&shared->received, 1);
    for (int i = 0; i < args->subs; i++)
        pthread_join (threads[i], NULL);
}

/* ---- A crowd of connections ---- */

/* Side A has begun to connect when it was told that side B listens; all connections are dialled at once. Nothing is sent:
   what is measured is the time until side B has them all, and what each takes of both processes' memory. */
static void crowd_a (const struct args *args)
{
    double memory = memory_now ();
    struct side *side = side_open (args, SIDE_A);
    while (!atomic_load (&shared->received))
        nap ();
    memory = memory_now () - memory;
    printf ("{\"count\": %d, \"seconds\": %.6f, \"listener_bytes\": %.1f, \"dialler_bytes\": %.1f}\n", links (args),
            shared->seconds, shared->memory / links (args), memory / links (args));
    fflush (stdout);
    atomic_store (&shared->finished, 1);
    side_close (side);
}

static void crowd_b (const struct args *args)
{
    double memory = memory_now ();
    struct side *side = side_open (args, SIDE_B);
    await_connections (side, args);
    shared->seconds = (double) (now_ns () - atomic_load (&shared->dialled)) / 1e9;
    shared->memory = memory_now () - memory;
    atomic_store (&shared->received, 1);
    while (!atomic_load (&shared->finished))
        nap ();
    side_close (side);
}

/* ---- The sides ---- */

static void run_a (const struct args *args)
{
    if (args->mode == CROWD) {
        crowd_a (args);
        return;
    }
    struct side *idle = NULL;
    if (args->idle) {
        struct args others = *args;
        others.connections = args->idle;
        idle = side_open (&others, SIDE_A);
    }
    struct side *side = side_open (args, SIDE_A);
    while (args->mode != FAN && !atomic_load (&shared->connected))
        nap ();
    (args->mode == RTT ? rtt_a : args->mode == STREAM ? stream_a : fan_a) (side, args);
    side_close (side);
    if (idle)
        side_close (idle);
}

static void *run_b (void *args_)
{
    const struct args *args = args_;
    if (args->mode == CROWD || args->mode == FAN) {
        (args->mode == CROWD ? crowd_b : fan_b) (args);
        return NULL;
    }
    struct side *side = side_open (args, SIDE_B);
    await_connections (side, args);
    (args->mode == RTT ? rtt_b : stream_b) (side, args);
    side_close (side);
    return NULL;
}
