//  A consumer of everything, in C++: which instrument has moved most since its first tick?
//
//  usage: movers COMBINED

#include "sp.h"

#include <cmath>
#include <string>
#include <unordered_map>

struct Topic {
    long long n = 0;
    double first = 0, latest = 0;
};

int main (int argc, char *argv [])
{
    if (argc != 2) {
        std::fprintf (stderr, "usage: movers COMBINED\n");
        return 2;
    }
    int feed = sp_socket (AF_SP, NN_SUB);
    sp_subscribe (feed, "");
    int patience = 1000;
    nn_setsockopt (feed, NN_SOL_SOCKET, NN_RCVTIMEO, &patience, sizeof (patience));
    sp_connect (feed, argv [1]);

    std::unordered_map<std::string, Topic> topics;
    long long seen = 0, lost = 0, reports = 0;
    for (;;) {
        char text [SP_MESSAGE_MAX], name [64];
        long long n;
        double value;
        int size = nn_recv (feed, text, sizeof (text) - 1, 0);
        if (size >= 0 && size < SP_MESSAGE_MAX) {
            text [size] = 0;
            if (std::sscanf (text, "%63s %lld %lf", name, &n, &value) == 3) {
                Topic &topic = topics [name];
                if (n > topic.n + 1)
                    lost += n - topic.n - 1;
                topic.n = n;
                topic.latest = value;
                if (topic.first == 0)
                    topic.first = value;
                ++seen;
            }
        }
        if (sp_report_due ()) {
            std::printf ("seen %lld lost %lld\n", seen, lost);
            double most = 0;
            std::string who;
            for (const auto &[topic, t] : topics)
                if (topic.rfind ("tick/", 0) == 0 && t.first > 0 &&
                      std::fabs (t.latest / t.first - 1) > std::fabs (most)) {
                    most = t.latest / t.first - 1;
                    who = topic.substr (5);
                }
            if (!who.empty () && ++reports % 3 == 0)
                std::printf ("! %s has moved most: %+.1f %%\n", who.c_str (), most * 100);
            std::fflush (stdout);
        }
    }
}
