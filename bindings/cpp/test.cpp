// Says "ok" if all of it holds; tests/cpp.rs compiles and runs it.

#include <nanomsg/nanomsg.hpp>
#include <nanomsg/requests.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdlib>
#include <iostream>
#include <thread>

using namespace std::chrono_literals;
using nanomsg::message;
using nanomsg::socket;

static int failures = 0;

#define CHECK(condition) \
    do { \
        if (!(condition)) { \
            std::cout << __LINE__ << ": " #condition "\n"; \
            failures++; \
        } \
    } while (false)

template <typename Call> static int number_of(Call call) {
    try {
        call();
    } catch (const nanomsg::error &error) {
        CHECK(std::string(error.what()).find(nn_strerror(error.number())) != std::string::npos);
        return error.number();
    }
    return 0;
}

static void messages() {
    message hello("hello");
    CHECK(hello.view() == "hello" && hello.size() == 5 && !hello.empty());
    hello.resize(4);
    CHECK(hello.view() == "hell");
    hello.resize(100000);
    CHECK(hello.size() == 100000 && hello.view().substr(0, 4) == "hell");
    message moved(std::move(hello));
    CHECK(hello.empty() && moved.size() == 100000);
    message other("other");
    other = std::move(moved);
    CHECK(other.size() == 100000 && moved.empty());
    CHECK(message().empty() && message(std::string_view()).empty());
    CHECK(number_of([] { message too_large(SIZE_MAX); }) == ENOMEM);
}

static void pair() {
    socket a(NN_PAIR), b(NN_PAIR);
    a.recv_timeout(5s);
    b.recv_timeout(5s);
    a.bind("inproc://pair");
    CHECK(number_of([&] { b.bind("inproc://pair"); }) == EADDRINUSE);
    int endpoint = b.connect("inproc://pair");
    CHECK(endpoint == 1);
    b.send("text");
    CHECK(a.recv().view() == "text");
    a.send(std::string_view("\0nul", 4));
    CHECK(b.recv().view() == std::string_view("\0nul", 4));
    b.send(std::string_view());
    CHECK(a.recv().empty());

    message large(std::string(1000000, 'x'));
    a.send(std::move(large));
    CHECK(large.empty());
    message received = b.recv();
    CHECK(received.size() == 1000000);
    CHECK(b.try_send(std::move(received)));
    CHECK(received.empty() && a.recv().size() == 1000000);
    CHECK(!a.try_recv());
    CHECK(b.statistic(NN_STAT_MESSAGES_SENT) == 3 && b.statistic(NN_STAT_MESSAGES_RECEIVED) == 2);
    CHECK(number_of([&] { b.statistic(9999); }) == EINVAL);

    std::vector<nanomsg::pollfd> fds{{a, NN_POLLIN}, {b, NN_POLLIN | NN_POLLOUT}};
    CHECK(nanomsg::poll(fds, 0ms) == 1 && !fds[0].can_recv() && fds[1].can_send() && !fds[1].can_recv());
    b.send("poll");
    CHECK(nanomsg::poll(fds, -1ms) == 2 && fds[0].can_recv());
    CHECK(a.try_recv()->view() == "poll");

    b.shutdown(endpoint);
    CHECK(number_of([&] { b.shutdown(endpoint); }) == EINVAL);
    message kept("kept");
    CHECK(!b.try_send(std::move(kept)) && kept.view() == "kept");
    b.send_timeout(1ms);
    CHECK(number_of([&] { b.send(std::move(kept)); }) == ETIMEDOUT && kept.view() == "kept");
    a.recv_timeout(1ms);
    CHECK(number_of([&] { a.recv(); }) == ETIMEDOUT);
    CHECK(a.get(NN_SOL_SOCKET, NN_RCVTIMEO) == 1);
}

static void patterns() {
    socket pub(NN_PUB), sub(NN_SUB);
    sub.recv_timeout(5s);
    sub.subscribe("a");
    sub.subscribe("b");
    sub.unsubscribe("b");
    CHECK(number_of([&] { sub.unsubscribe("b"); }) == EINVAL);
    CHECK(number_of([&] { sub.send("x"); }) == ENOTSUP);
    pub.bind("inproc://news");
    sub.connect("inproc://news");
    pub.send("b1");
    pub.send("a1");
    CHECK(sub.recv().view() == "a1");

    socket req(NN_REQ), rep(NN_REP);
    req.recv_timeout(5s);
    CHECK(number_of([&] { req.recv(); }) == EFSM);
    const std::string address = "tcp://127.0.0.1:" + std::string(std::getenv("PORT"));
    rep.bind(address);
    req.connect(address);
    std::thread server([&] { rep.send(std::string(rep.recv().view()) + "!"); });
    req.send("question");
    CHECK(req.recv().view() == "question!");
    server.join();
}

static void devices() {
    socket cooked(NN_PAIR), raw(NN_BUS, AF_SP_RAW);
    CHECK(number_of([&] { nanomsg::device(cooked, cooked); }) == EINVAL);
    CHECK(number_of([&] { nanomsg::device(cooked); }) == EINVAL);

    socket loopback(NN_BUS, AF_SP_RAW), a(NN_BUS), b(NN_BUS);
    b.recv_timeout(5s);
    loopback.bind("inproc://loopback");
    a.connect("inproc://loopback");
    b.connect("inproc://loopback");
    std::thread forwarding([&] { CHECK(number_of([&] { nanomsg::device(loopback); }) == EBADF); });
    a.send("through the device");
    CHECK(number_of([&] { CHECK(b.recv().view() == "through the device"); }) == 0);
    loopback.close();
    forwarding.join();
    CHECK(number_of([&] { nanomsg::device(loopback); }) == EBADF);
    CHECK(number_of([&] { nanomsg::device(raw, loopback); }) == EBADF);
}

static void life() {
    socket a(NN_PAIR);
    int handle = a.handle();
    socket b(std::move(a));
    CHECK(a.handle() == -1 && b.handle() == handle);
    CHECK(number_of([&] { a.send("x"); }) == EBADF);
    socket c(NN_PAIR);
    const int before = c.handle();
    c = std::move(b);
    CHECK(c.handle() == handle && b.handle() == -1 && nn_close(before) == -1);
    c.close();
    CHECK(number_of([&] { c.recv(); }) == EBADF && number_of([&] { c.close(); }) == EBADF);
    {
        socket d(NN_PAIR);
        handle = d.handle();
    }
    CHECK(nn_close(handle) == -1);
    CHECK(number_of([] { socket none(12345); }) == EINVAL);
    CHECK(number_of([] { socket none(NN_PAIR, 77); }) == EAFNOSUPPORT);
}

static void monitors() {
    socket watched(NN_PAIR), other(NN_PAIR);
    other.bind("inproc://taken");
    CHECK(number_of([&] { nanomsg::monitor refused(watched, "inproc://taken"); }) == EADDRINUSE);
    CHECK(number_of([&] { watched.monitor("nonsense"); }) == EINVAL && watched.monitor().empty());
    watched.monitor("tcp://127.0.0.1:0");
    CHECK(watched.monitor().compare(0, 16, "tcp://127.0.0.1:") == 0 && watched.monitor() != "tcp://127.0.0.1:0");

    nanomsg::monitor first(watched), second(watched, "inproc://second");
    CHECK(first.next(5s)->event == "monitor_stopped" && !first.next(0ms));
    CHECK(watched.monitor() == "inproc://second");
    watched.connect("inproc://taken");
    const auto event = second.next(5s);
    CHECK(event->event == "connecting" && event->json.front() == '{' && event->json.back() == '}');
    // More than fits into the first look.
    for (int count = 0; count < 100; count++)
        watched.connect("inproc://nobody");
    const std::string report = watched.report();
    CHECK(report.size() > 5000 && report.front() == '{' && report.back() == '}');
}

static void many_requests() {
    nanomsg::replies replies("inproc://many");
    replies.socket().recv_timeout(5s);
    nanomsg::requests requests("inproc://many");
    requests.socket().recv_timeout(5s);
    std::vector<std::thread> threads;
    for (int number = 0; number < 4; number++) {
        threads.emplace_back([&] {
            number_of([&] {
                for (;;) {
                    nanomsg::request first = replies.recv();
                    // Where there is another one it goes before the first.
                    if (std::optional<nanomsg::request> other = replies.try_recv())
                        other->reply("to " + std::string(other->body()));
                    first.reply("to " + std::string(first.body()));
                }
            });
        });
    }
    std::atomic<int> right{0};
    std::vector<std::thread> asking;
    for (int number = 0; number < 16; number++) {
        asking.emplace_back([&, number] {
            for (int turn = 0; turn < 50; turn++) {
                const std::string body = std::to_string(number) + " " + std::to_string(turn);
                number_of([&] { right += requests.ask(body).view() == "to " + body; });
            }
        });
    }
    for (std::thread &thread : asking)
        thread.join();
    replies.close();
    for (std::thread &thread : threads)
        thread.join();
    CHECK(right == 16 * 50);
    CHECK(number_of([&] { replies.recv(); }) == EBADF && number_of([&] { replies.close(); }) == 0);
}

static void requests_again_and_closed() {
    nanomsg::replies replies("inproc://again");
    replies.socket().recv_timeout(5s);
    nanomsg::requests requests("inproc://again", 20ms);
    CHECK(number_of([&] { requests.ask("nothing", 0ms); }) == ETIMEDOUT);
    std::array<int, 3> ended{};
    std::vector<std::thread> asking;
    for (std::size_t at = 0; at < 3; at++)
        asking.emplace_back([&, at] { ended[at] = number_of([&] { requests.ask("again", 5s); }); });
    number_of([&] {
        // Each comes at least twice, with the same header.
        std::vector<std::string> seen;
        for (int count = 0; count < 3;) {
            nanomsg::request request = replies.recv();
            if (request.body() != "again")
                continue;
            const std::string header(request.header());
            count += std::count(seen.begin(), seen.end(), header) == 1;
            seen.push_back(header);
        }
    });
    requests.close();
    for (std::thread &thread : asking)
        thread.join();
    CHECK(ended == (std::array<int, 3>{EBADF, EBADF, EBADF}));
    socket other(NN_PAIR); // has the closed one's number
    CHECK(number_of([&] { requests.ask("more"); }) == EBADF && number_of([&] { requests.ask("more", 1ms); }) == EBADF);
    requests.close();
    // Its end does not close the socket that has its number now.
    std::optional<nanomsg::requests> gone(std::in_place, "inproc://again");
    const int number = gone->socket().handle();
    gone->close();
    socket next(NN_PAIR);
    CHECK(next.handle() == number);
    gone.reset();
    CHECK(number_of([&] { next.bind("inproc://still-open"); }) == 0);

    std::optional<nanomsg::request> kept;
    {
        nanomsg::replies short_lived("inproc://short");
        short_lived.socket().recv_timeout(5s);
        socket client(NN_REQ);
        client.connect("inproc://short");
        client.recv_timeout(5s);
        client.send("?");
        nanomsg::request request = short_lived.recv();
        CHECK(request.header().size() == 8);
        request.reply("!");
        CHECK(client.recv().view() == "!");
        CHECK(number_of([&] { request.reply("!"); }) == EFSM);
        client.send("?");
        kept = short_lived.recv();
        short_lived.socket().recv_timeout(1ms);
        CHECK(number_of([&] { short_lived.recv(); }) == ETIMEDOUT && !short_lived.try_recv());
    }
    CHECK(number_of([&] { kept->reply("late"); }) == EBADF);
    CHECK(number_of([] { nanomsg::requests cooked{socket(NN_REQ)}; }) == EINVAL);
    CHECK(number_of([] { nanomsg::replies other_type{socket(NN_REQ, AF_SP_RAW)}; }) == EINVAL);
    CHECK(number_of([] { nanomsg::requests nowhere("nowhere"); }) == EINVAL);
    CHECK(number_of([] { nanomsg::requests never_again("inproc://x", 0ms); }) == EINVAL);
}

int main() {
    messages();
    monitors();
    pair();
    patterns();
    devices();
    life();
    many_requests();
    requests_again_and_closed();
    if (failures == 0)
        std::cout << "ok\n";
    return failures != 0;
}
