//  A consumer of everything, in C++: which instrument has moved most since its first tick?
//
//  usage: movers COMBINED

#include <nanomsg/nanomsg.hpp>
#include <nanomsg-rs/tls.h>

#include "../monitor/reporter.h"

#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <unordered_map>

struct Topic {
    long long n = 0;
    double first = 0, latest = 0;
};

static std::unordered_map<std::string, Topic> topics;
static long long seen, lost;

static void take(const std::string &message) {
    char name[64];
    long long n;
    double value;
    if (std::sscanf(message.c_str(), "%63s %lld %lf", name, &n, &value) != 3)
        return;
    Topic &topic = topics[name];
    if (n > topic.n + 1)  // a gap; a smaller number is a sender that has started anew
        lost += n - topic.n - 1;
    if (topic.n == 0)
        topic.first = value;
    topic.n = n;
    topic.latest = value;
    ++seen;
}

static void tell_who_has_moved_most() {
    double most = 0;
    std::string who;
    for (const auto &[name, topic] : topics) {
        double moved = topic.latest / topic.first - 1;
        if (name.rfind("tick/", 0) == 0 && std::fabs(moved) > std::fabs(most)) {
            most = moved;
            who = name.substr(5);
        }
    }
    if (!who.empty())
        std::printf("! %s has moved most: %+.1f %%\n", who.c_str(), most * 100);
}

int main(int argc, char *argv[]) {
    using clock = std::chrono::steady_clock;
    if (argc != 2) {
        std::fprintf(stderr, "usage: movers COMBINED\n");
        return 2;
    }
    nanomsg::socket feed(NN_SUB);
    feed.set(NN_SOL_SOCKET, NN_SOCKET_NAME, "movers.in");
    // Where the address is of TLS.
    const char *ca = std::getenv("TICKS_CA"), *certificate = std::getenv("TICKS_CERTIFICATE");
    if (ca && certificate) {
        feed.set(NN_TLS, NN_TLS_CA, ca);
        feed.set(NN_TLS, NN_TLS_CERT, certificate);
    }
    const int handle = feed.handle();
    if (reporter_start(&handle, 1, std::getenv("TICKS_MONITOR")) < 0)
        throw nanomsg::error("reporter_start");
    feed.set(NN_SOL_SOCKET, NN_RCVBUF, 4 << 20);
    feed.subscribe("");
    feed.recv_timeout(std::chrono::seconds(1));
    feed.connect(argv[1]);

    auto report = clock::now();
    for (int reports = 0;;) {
        try {
            take(std::string(feed.recv()));
        } catch (const nanomsg::error &problem) {
            // EINTR: it was halted (Ctrl-Z) and goes on.
            if (problem.number() != ETIMEDOUT && problem.number() != EINTR)
                throw;
        }
        if (clock::now() < report)
            continue;
        report = clock::now() + std::chrono::seconds(1);
        std::printf("seen %lld lost %lld\n", seen, lost);
        if (++reports % 3 == 0)
            tell_who_has_moved_most();
        std::fflush(stdout);
    }
}
