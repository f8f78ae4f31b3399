/*  Lets a program in C, C++ or Rust be watched: publishes what happens to its
    sockets, and once a second their statistics, for monitor.py, the page, and
    Prometheus (docs/prometheus.md). */

#ifndef REPORTER_H
#define REPORTER_H

#ifdef __cplusplus
extern "C" {
#endif

/*  Reports on these sockets at these addresses, which have blanks between
    them, in a thread of its own, until the process ends. Without addresses
    (NULL, or nothing but blanks) it does nothing. A socket that is closed
    is left out; no other should get its number while the program runs.
    0, or -1 with nn_errno. */
int reporter_start (const int *sockets, int count, const char *addresses);

#ifdef __cplusplus
}
#endif

#endif
