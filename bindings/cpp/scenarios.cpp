// The scenarios of bindings/scenarios.txt, which every language runs. tests/cpp.rs compiles it, runs it, and compares the
// names it prints, with a star behind those of every transport and a plus behind those of TLS, with the list.

#include <nanomsg/nanomsg.hpp>
#include <nanomsg/requests.hpp>

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <iostream>
#include <stdexcept>
#include <thread>

using namespace std::chrono_literals;
using nanomsg::message;

#define CHECK(condition) \
    do { \
        if (!(condition)) \
            throw std::runtime_error(std::to_string(__LINE__) + ": " #condition); \
    } while (false)

static const auto patience = 10s;
static std::string transport;

static int free_port() {
    int probe = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in place{};
    place.sin_family = AF_INET;
    place.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof place;
    CHECK(::bind(probe, reinterpret_cast<sockaddr *>(&place), size) == 0);
    CHECK(getsockname(probe, reinterpret_cast<sockaddr *>(&place), &size) == 0);
    ::close(probe);
    return ntohs(place.sin_port);
}

static std::string new_address() {
    static int count = 0;
    const std::string number = std::to_string(++count);
    if (transport == "inproc")
        return "inproc://scenario-" + number;
    if (transport == "unix" || transport == "ipc")
        return transport + "://" + std::getenv("DIRECTORY") + "/" + number;
    if (transport == "abstract")
        return "abstract://scenario-" + std::to_string(getpid()) + "-" + number;
    return transport + "://127.0.0.1:" + std::to_string(free_port());
}

static bool over_tcp() { return transport == "tcp" || transport == "ws" || transport == "tls+tcp" || transport == "wss"; }

static std::string pem(const char *name) { return std::string(std::getenv("DIRECTORY")) + "/" + name; }

// Trusts the tests' authority, and has a certificate of its own.
static nanomsg::socket secured(int type, int domain = AF_SP) {
    nanomsg::socket socket(type, domain);
    socket.tls_ca(pem("ca.pem"));
    socket.tls_cert(pem("both.pem"));
    return socket;
}

static nanomsg::socket open(int type) {
    nanomsg::socket opened = secured(type);
    opened.send_timeout(patience);
    opened.recv_timeout(patience);
    return opened;
}

static void wait_for_connections(const nanomsg::socket &socket, std::uint64_t count) {
    const auto deadline = std::chrono::steady_clock::now() + patience;
    while (socket.statistic(NN_STAT_CURRENT_CONNECTIONS) != count) {
        CHECK(std::chrono::steady_clock::now() < deadline);
        std::this_thread::yield();
    }
}

// One socket that is bound, and others that are connected to it behind it.
static std::vector<nanomsg::socket> star(int hub, int leaf, std::size_t leaves = 1) {
    const std::string address = new_address();
    std::vector<nanomsg::socket> sockets;
    sockets.push_back(open(hub));
    sockets[0].bind(address);
    for (std::size_t at = 1; at <= leaves; at++) {
        sockets.push_back(open(leaf));
        sockets[at].connect(address);
        wait_for_connections(sockets[at], 1);
    }
    wait_for_connections(sockets[0], leaves);
    return sockets;
}

template <typename Call> static int number_of(Call call) {
    try {
        call();
    } catch (const nanomsg::error &error) {
        return error.number();
    }
    return 0;
}

// Two messages, in the order of their bytes.
static std::array<std::string, 2> sorted(std::string_view one, std::string_view other) {
    std::array<std::string, 2> both{std::string(one), std::string(other)};
    std::sort(both.begin(), both.end());
    return both;
}

static const std::array<std::string, 2> zero_one{"0", "1"}, one_two{"one", "two"};

static void pair_talks_both_ways() {
    auto s = star(NN_PAIR, NN_PAIR);
    s[1].send(std::string_view("there\0and", 9));
    CHECK(s[0].recv().view() == std::string_view("there\0and", 9));
    s[0].send("back");
    CHECK(s[1].recv().view() == "back");
}

static void an_empty_message_arrives() {
    auto s = star(NN_PAIR, NN_PAIR);
    s[1].send(std::string_view());
    s[1].send("after");
    CHECK(s[0].recv().empty());
    CHECK(s[0].recv().view() == "after");
}

static void a_large_message_arrives_whole() {
    std::string large(2 << 20, '\0');
    for (std::size_t at = 0; at < large.size(); at++)
        large[at] = static_cast<char>(at % 251);
    auto s = star(NN_PAIR, NN_PAIR);
    s[0].set(NN_SOL_SOCKET, NN_RCVMAXSIZE, -1);
    int failure = 0;
    std::thread sending([&] { failure = number_of([&] { s[1].send(large); }); });
    const int receiving = number_of([&] { failure = s[0].recv().view() == large ? failure : -1; });
    sending.join();
    CHECK(failure == 0 && receiving == 0);
}

// What was just subscribed to may still be on its way to the publisher: the message is sent until it arrives.
static void publish(nanomsg::socket &publisher, nanomsg::socket &subscriber, std::string_view text) {
    const auto deadline = std::chrono::steady_clock::now() + patience;
    subscriber.recv_timeout(std::chrono::milliseconds(50));
    for (bool arrived = false; !arrived;) {
        publisher.send(text);
        try {
            CHECK(subscriber.recv().view() == text);
            arrived = true;
        } catch (const nanomsg::error &failure) {
            CHECK(failure.number() == ETIMEDOUT && std::chrono::steady_clock::now() < deadline);
        }
    }
    subscriber.recv_timeout(patience);
}

static void pubsub_filters_by_topic() {
    auto s = star(NN_PUB, NN_SUB, 2);
    s[1].subscribe("weather");
    s[2].subscribe("");
    for (const char *text : {"sports: 1:0", "weather: rain"}) {
        publish(s[0], s[2], text);
    }
    CHECK(s[1].recv().view() == "weather: rain");
}

static void subscriptions_travel_unless_told_not_to() {
    for (int at_home : {0, NN_PUB, NN_SUB}) {
        auto pub = open(NN_PUB), sub = open(NN_SUB);
        for (nanomsg::socket *one : {&pub, &sub}) {
            CHECK(one->forward_subscriptions());
            const bool travel = one->get(NN_SOL_SOCKET, NN_PROTOCOL) != at_home;
            one->forward_subscriptions(travel);
            CHECK(one->forward_subscriptions() == travel);
        }
        const std::string address = new_address();
        pub.bind(address);
        sub.subscribe("a");
        sub.connect(address);
        for (int round = 0; round < 50; round++) {
            pub.send("b");
            publish(pub, sub, "a");
        }
        CHECK((pub.statistic(NN_STAT_MESSAGES_FILTERED) > 0) == (at_home == 0));
    }
}

static void reqrep_answers_whoever_asked() {
    auto s = star(NN_REP, NN_REQ, 2);
    s[1].send("0");
    s[2].send("1");
    for (int asked = 0; asked < 2; asked++)
        s[0].send("to " + std::string(s[0].recv().view()));
    CHECK(s[1].recv().view() == "to 0");
    CHECK(s[2].recv().view() == "to 1");
}

static void pipeline_gives_each_message_to_one() {
    auto s = star(NN_PUSH, NN_PULL, 2);
    s[0].send("one");
    s[0].send("two");
    CHECK(sorted(s[1].recv(), s[2].recv()) == one_two);
}

static void survey_collects_answers_and_ends() {
    auto s = star(NN_SURVEYOR, NN_RESPONDENT, 2);
    s[0].set(NN_SURVEYOR, NN_SURVEYOR_DEADLINE, 1000);
    s[0].send("who is there?");
    for (std::size_t at : {1, 2}) {
        CHECK(s[at].recv().view() == "who is there?");
        s[at].send(zero_one[at - 1]);
    }
    const message first = s[0].recv(), second = s[0].recv();
    CHECK(sorted(first, second) == zero_one);
    CHECK(number_of([&] { s[0].recv(); }) == ETIMEDOUT);
}

static void bus_reaches_all_but_the_sender() {
    auto s = star(NN_BUS, NN_BUS, 2);
    s[0].send("to all");
    CHECK(s[1].recv().view() == "to all");
    CHECK(s[2].recv().view() == "to all");
    s[1].send("to the hub");
    CHECK(s[0].recv().view() == "to the hub");
    CHECK(!s[0].try_recv() && !s[1].try_recv());
}

// The header says it by a nothing, and the C function by its errno.
static void dont_wait_is_its_own_error() {
    auto socket = open(NN_PAIR);
    CHECK(!socket.try_recv());
    CHECK(nn_errno() == EAGAIN);
}

static void time_out_is_its_own_error() {
    auto socket = open(NN_PAIR);
    socket.recv_timeout(10ms);
    CHECK(number_of([&] { socket.recv(); }) == ETIMEDOUT);
}

static void wrong_state_is_its_own_error() {
    CHECK(number_of([] { open(NN_REP).send("unasked"); }) == EFSM);
}

static void not_supported_is_its_own_error() {
    CHECK(number_of([] { open(NN_SUB).send("x"); }) == ENOTSUP);
}

static void address_in_use_is_its_own_error() {
    const std::string address = new_address();
    auto first = open(NN_PAIR), second = open(NN_PAIR);
    first.bind(address);
    CHECK(number_of([&] { second.bind(address); }) == EADDRINUSE);
}

static void a_closed_socket_is_its_own_error() {
    auto socket = open(NN_PAIR);
    socket.close();
    auto other = open(NN_PAIR); // has the closed one's number
    CHECK(number_of([&] { socket.send("x"); }) == EBADF);
    CHECK(!other.try_recv());
}

static void closing_ends_a_waiting_receive() {
    auto socket = open(NN_PAIR);
    int ended = 0;
    // Another object of C++ may not be closed while it is used; its handle may.
    const int handle = socket.handle();
    std::thread waiting([&] { ended = number_of([&] { socket.recv(); }); });
    CHECK(nn_close(handle) == 0);
    waiting.join();
    CHECK(ended == EBADF);
    CHECK(number_of([&] { socket.close(); }) == EBADF);
}

static void options_are_read_back() {
    auto socket = open(NN_PAIR);
    for (auto [level, option, value] : {std::array{NN_SOL_SOCKET, NN_SNDTIMEO, -1},
                                        std::array{NN_SOL_SOCKET, NN_RCVBUF, 1 << 20},
                                        std::array{NN_SOL_SOCKET, NN_SNDPRIO, 3},
                                        std::array{NN_TCP, NN_TCP_NODELAY, 1},
                                        std::array{NN_SOL_SOCKET, NN_CONNECT_TIMEOUT, 700},
                                        std::array{NN_TCP, NN_TCP_KEEPALIVE_IDLE, 60000},
                                        std::array{NN_TCP, NN_TCP_KEEPALIVE_INTERVAL, 5000},
                                        std::array{NN_TCP, NN_TCP_KEEPALIVE_COUNT, 3},
                                        std::array{NN_TCP, NN_TCP_USER_TIMEOUT, 30000},
                                        std::array{NN_IPC, NN_IPC_MODE, 0660},
                                        std::array{NN_SOL_SOCKET, NN_RECV_PEER, 1},
                                        std::array{NN_WS, NN_WS_PING, 20000},
                                        std::array{NN_TLS, NN_TLS_VERIFY, 1},
                                        std::array{NN_TLS, NN_TLS_MIN_VERSION, 13},
                                        std::array{NN_SOL_SOCKET, NN_CONFLATE, 1},
                                        std::array{NN_SOL_SOCKET, NN_CONFLATE_PREFIX, 4}}) {
        socket.set(level, option, value);
        CHECK(socket.get(level, option) == value);
    }
    socket.send_timeout(250ms);
    CHECK(socket.get(NN_SOL_SOCKET, NN_SNDTIMEO) == 250);
    socket.set(NN_SOL_SOCKET, NN_SOCKET_NAME, "a name");
    char name[64];
    std::size_t size = sizeof name;
    CHECK(nn_getsockopt(socket.handle(), NN_SOL_SOCKET, NN_SOCKET_NAME, name, &size) == 0);
    CHECK(std::string_view(name, size) == "a name");
    CHECK(number_of([&] { socket.set(NN_SOL_SOCKET, NN_SNDPRIO, 17); }) == EINVAL);
    socket.tls_name("localhost");
    CHECK(socket.text(NN_TLS, NN_TLS_NAME) == "localhost");
    CHECK(socket.text(NN_TLS, NN_TLS_CA) == pem("ca.pem"));
    CHECK(number_of([&] { socket.tls_cert(pem("server.key")); }) == EINVAL);
    CHECK(number_of([&] { socket.text(NN_TLS, NN_TLS_KEY); }) == EACCES);
    socket.tls_verify(2);
    CHECK(socket.get(NN_TLS, NN_TLS_VERIFY) == 2);
    socket.tls_min_version(12);
    CHECK(socket.get(NN_TLS, NN_TLS_MIN_VERSION) == 12);
    socket.ws_ping(5s);
    CHECK(socket.get(NN_WS, NN_WS_PING) == 5000);
    CHECK(number_of([&] { socket.overflow(NN_OVERFLOW_WAIT); }) == ENOPROTOOPT);
    auto publisher = open(NN_PUB);
    publisher.overflow(NN_OVERFLOW_DROP_OLD);
    CHECK(publisher.get(NN_SOL_SOCKET, NN_OVERFLOW) == NN_OVERFLOW_DROP_OLD);
}

static void poll_tells_who_is_ready() {
    auto s = star(NN_PAIR, NN_PAIR);
    s[1].send("hello");
    std::vector<nanomsg::pollfd> fds{{s[0], NN_POLLIN}, {s[1], NN_POLLIN}};
    CHECK(nanomsg::poll(fds, patience) == 1 && fds[0].can_recv() && !fds[1].can_recv());
    s[0].recv();
    CHECK(nanomsg::poll(fds, 0ms) == 0);
}

static void a_device_forwards() {
    auto front = secured(NN_PULL, AF_SP_RAW), back = secured(NN_PUSH, AF_SP_RAW);
    auto push = open(NN_PUSH), pull = open(NN_PULL);
    const std::string front_address = new_address();
    front.bind(front_address);
    push.connect(front_address);
    const std::string back_address = new_address();
    back.bind(back_address);
    pull.connect(back_address);
    int ended = 0;
    std::thread forwarding([&] { ended = number_of([&] { nanomsg::device(front, back); }); });
    push.send("through both");
    const int received = number_of([&] { CHECK(pull.recv().view() == "through both"); });
    front.close();
    back.close();
    forwarding.join();
    CHECK(received == 0 && ended == EBADF);
}

static void statistics_count_messages() {
    auto s = star(NN_PAIR, NN_PAIR);
    s[1].send("hello");
    s[1].send("you");
    s[0].recv();
    s[0].recv();
    CHECK(s[1].statistic(NN_STAT_MESSAGES_SENT) == 2 && s[1].statistic(NN_STAT_BYTES_SENT) == 8);
    CHECK(s[0].statistic(NN_STAT_MESSAGES_RECEIVED) == 2 && s[0].statistic(NN_STAT_BYTES_RECEIVED) == 8);
}

static void a_shut_down_endpoint_is_free_again() {
    const std::string address = new_address();
    auto first = open(NN_PAIR), second = open(NN_PAIR);
    const int endpoint = first.bind(address);
    first.shutdown(endpoint);
    second.bind(address);
    CHECK(number_of([&] { first.shutdown(endpoint); }) == EINVAL);
}

static void an_endpoint_tells_its_address() {
    const std::string address = new_address();
    auto bound = open(NN_PAIR), connected = open(NN_PAIR);
    CHECK(bound.endpoint_address(bound.bind(address)) == address);
    CHECK(connected.endpoint_address(connected.connect(address)) == address);
    if (!over_tcp())
        return;
    auto other = open(NN_PAIR), peer = open(NN_PAIR);
    const std::string place = transport + "://127.0.0.1:", chosen = other.endpoint_address(other.bind(place + "0"));
    CHECK(chosen.compare(0, place.size(), place) == 0 && chosen != place + "0");
    peer.connect(chosen);
    peer.send("hello");
    CHECK(other.recv().view() == "hello");
}

static void a_descriptor_becomes_an_endpoint() {
    int ends[2];
    CHECK(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    const std::string one = "fd://" + std::to_string(ends[0]), other = "fd://" + std::to_string(ends[1]);
    auto a = open(NN_PAIR), b = open(NN_PAIR), c = open(NN_PAIR);
    a.bind(one);
    b.connect(other);
    b.send("there");
    CHECK(a.recv().view() == "there");
    a.send("and back");
    CHECK(b.recv().view() == "and back");
    CHECK(number_of([&] { c.bind(one); }) == EADDRINUSE);
}

static void a_request_to_nobody_fails_if_told_to() {
    const std::string address = new_address();
    auto req = open(NN_REQ), rep = open(NN_REP);
    req.fail_fast(true);
    req.bind(address);
    CHECK(number_of([&] { req.send("anybody?"); }) == EAGAIN);
    rep.connect(address);
    wait_for_connections(req, 1);
    req.send("anybody?");
    CHECK(rep.recv().view() == "anybody?");
}

static bool has(const std::string &json, const std::string &part) { return json.find(part) != std::string::npos; }

static std::string quoted(const std::string &text) { return '"' + text + '"'; }

static void a_monitor_tells_who_comes_and_goes() {
    const std::string address = new_address();
    auto hub = open(NN_PULL), leaf = open(NN_PUSH);
    hub.set(NN_SOL_SOCKET, NN_SOCKET_NAME, "hub");
    CHECK(hub.monitor().empty());
    nanomsg::monitor monitor(hub);
    CHECK(hub.monitor().compare(0, 9, "inproc://") == 0);
    CHECK(!monitor.next(1ms));
    std::vector<nanomsg::monitor_event> seen;
    auto until = [&](std::string_view name) {
        do {
            auto event = monitor.next(patience);
            CHECK(event);
            seen.push_back(*event);
        } while (seen.back().event != name);
        return seen.back().json;
    };
    const int endpoint = hub.bind(address);
    leaf.connect(address);
    const std::string connected = until("connected");
    // Both ends know it now.
    wait_for_connections(leaf, 1);
    leaf.close();
    const std::string disconnected = until("disconnected");
    hub.shutdown(endpoint);
    until("closed");
    hub.close();
    until("monitor_stopped");

    const std::string ours = "\"endpoint\":{\"id\":" + std::to_string(endpoint) + ",\"address\":" + quoted(address) +
                             ",\"kind\":\"bind\"}";
    std::string told;
    for (std::size_t at = 0; at < seen.size(); at++) {
        const auto &[event, json] = seen[at];
        if (event != "accepted")
            told += event + ' ';
        CHECK(has(json, "{\"event\":" + quoted(event) + ",\"seq\":" + std::to_string(at + 1) + ','));
        CHECK(has(json, "\"socket\":\"hub\",\"type\":\"pull\""));
        CHECK(has(json, ours) == (event != "monitor_stopped"));
    }
    CHECK(told == "listening connected disconnected closed monitor_stopped ");
    const std::string peer = connected.substr(connected.find("\"peer\":"));
    CHECK(has(peer, "\"type\":\"push\""));
    CHECK(has(disconnected, peer.substr(0, peer.find('}') + 1) + ",\"reason\":\"closed\"}"));
}

static void statistics_are_one_document() {
    const std::string address = new_address();
    auto a = open(NN_PAIR), b = open(NN_PAIR);
    const std::string id = std::to_string(a.bind(address));
    b.connect(address);
    wait_for_connections(a, 1);
    b.send("hello");
    b.send("you");
    a.recv();
    a.recv();
    const std::string report = a.report();
    CHECK(has(report, "\"type\":\"pair\",\"raw\":false,"));
    CHECK(has(report, "\"messages_received\":2,\"bytes_sent\":0,\"bytes_received\":8"));
    CHECK(has(report, "\"endpoints\":[{\"id\":" + id + ",\"address\":" + quoted(address) +
                          ",\"kind\":\"bind\",\"connections\":1,\"connected\":1,\"failed\":0}]"));
    CHECK(has(report, "\"connections\":[{\"endpoint\":" + id + ",\"peer\":{\"pipe\":1,\"type\":\"pair\"},"));
    CHECK(has(report, "\"messages_sent\":0,\"bytes_sent\":0,\"messages_received\":2,\"bytes_received\":8"));
}

static void a_message_tells_its_peer() {
    auto s = star(NN_PULL, NN_PUSH, 2);
    auto peers = [&] {
        std::array<std::string, 2> found;
        s[1].send("0");
        s[2].send("1");
        for (int count = 0; count < 2; count++) {
            const auto [body, peer] = s[0].recv_from();
            found[body.view() == "1"] = peer;
        }
        return found;
    };
    CHECK(peers() == (std::array<std::string, 2>{}));
    s[0].recv_peer(true);
    const auto found = peers();
    CHECK(peers() == found && found[0] != found[1]);
    for (const std::string &peer : found) {
        const bool inproc = transport == "inproc", network = over_tcp();
        CHECK(has(peer, "{\"pipe\":") && has(peer, "\"type\":\"push\"") && peer.back() == '}');
        CHECK(has(peer, "\"address\":\"127.0.0.1:") == network);
        CHECK(has(peer, "\"pid\":" + std::to_string(getpid()) + ',') == (!inproc && !network));
    }
}

static void a_certificate_tells_who_the_peer_is() {
    const std::string address = new_address();
    auto hub = open(NN_PULL), leaf = open(NN_PUSH);
    hub.tls_verify(2);
    hub.recv_peer(true);
    leaf.tls_cert(pem("client.pem"));
    leaf.tls_key(pem("client.key"));
    hub.bind(address);
    leaf.connect(address);
    leaf.send("hello");
    const std::string peer = hub.recv_from().second;
    CHECK(has(peer, "\"certificate\":{\"subject\":\"CN=client,O=nanomsg tests\",\"sha256\":\""));
}

static void a_wrong_certificate_is_refused() {
    const std::string address = new_address();
    auto a = open(NN_PAIR), b = open(NN_PAIR);
    a.bind(address);
    b.tls_ca(pem("other-ca.pem"));
    nanomsg::monitor monitor(b);
    const int wrong = b.connect(address);
    std::optional<nanomsg::monitor_event> event;
    do {
        event = monitor.next(patience);
        CHECK(event);
    } while (event->event != "handshake_failed");
    CHECK(has(event->json, "\"endpoint\":{\"id\":" + std::to_string(wrong) + ','));
    CHECK(has(event->json, "\"errno\":" + std::to_string(NN_ETLS_UNKNOWN_CA) + ','));
    CHECK(has(event->json, "\"reason\":\"tls\""));
    b.shutdown(wrong);
    b.tls_ca(pem("ca.pem"));
    b.connect(address);
    b.send("hello");
    CHECK(a.recv().view() == "hello");
}

static void only_the_newest_is_received_if_told_to() {
    for (int prefix : {0, 1}) {
        const std::string address = new_address();
        auto push = open(NN_PUSH), pull = open(NN_PULL);
        pull.conflate(true, prefix);
        pull.bind(address);
        push.connect(address);
        wait_for_connections(push, 1);
        for (int number = 0; number < 100; number++) {
            push.send("a" + std::to_string(number));
            push.send("b" + std::to_string(number));
        }
        const message first = pull.recv();
        if (prefix == 0)
            CHECK(first.view() == "b99");
        else
            CHECK(sorted(first, pull.recv()) == (std::array<std::string, 2>{"a99", "b99"}));
        CHECK(!pull.try_recv());
        CHECK(pull.statistic(NN_STAT_MESSAGES_CONFLATED) == (prefix == 0 ? 199 : 198));
    }
}

static void a_publisher_waits_if_told_to() {
    const std::string address = new_address();
    auto pub = open(NN_PUB), sub = open(NN_SUB);
    pub.overflow(NN_OVERFLOW_WAIT);
    pub.set(NN_SOL_SOCKET, NN_SNDBUF, 1000);
    sub.set(NN_SOL_SOCKET, NN_RCVBUF, 1000);
    sub.subscribe("");
    pub.bind(address);
    sub.connect(address);
    publish(pub, sub, "first");
    auto body = [](int number) { return std::to_string(number) + std::string(100, '.'); };
    int failure = 0;
    std::thread sending([&] {
        failure = number_of([&] {
            for (int number = 0; number < 1000; number++)
                pub.send(body(number));
        });
    });
    int expected = 0, ended = 0;
    while (expected < 1000 && ended == 0) {
        ended = number_of([&] {
            const message received = sub.recv();
            // It may have been sent more than once until it arrived.
            if (received.view() != "first" && received.view() != body(expected++))
                expected = INT_MAX;
        });
    }
    sending.join();
    CHECK(ended == 0 && failure == 0 && expected == 1000);
    CHECK(pub.statistic(NN_STAT_MESSAGES_OVERFLOWED) == 0);
}

static void a_received_message_is_sent_on() {
    auto s = star(NN_PAIR, NN_PAIR), t = star(NN_PAIR, NN_PAIR);
    s[1].send(std::string(100000, 'x'));
    message received = s[0].recv();
    const char *place = received.data();
    t[0].send(std::move(received));
    CHECK(received.empty());
    received = t[1].recv();
    CHECK(received.data() == place && received.view() == std::string(100000, 'x'));
}

static void several_requests_are_answered_in_any_order() {
    auto server = secured(NN_REP, AF_SP_RAW), client = secured(NN_REQ, AF_SP_RAW);
    server.recv_timeout(patience);
    client.recv_timeout(patience);
    const std::string address = new_address();
    server.bind(address);
    client.connect(address);
    nanomsg::requests requests(std::move(client));
    nanomsg::replies replies(std::move(server));
    std::array<int, 3> failures{};
    std::array<std::thread, 3> asking;
    for (std::size_t at = 0; at < 3; at++) {
        asking[at] = std::thread([&, at] {
            std::string answer;
            const int failure = number_of([&] { answer = requests.ask(std::to_string(at)).view(); });
            failures[at] = failure == 0 && answer != "to " + std::to_string(at) ? -1 : failure;
        });
    }
    std::vector<nanomsg::request> received;
    const int receiving = number_of([&] {
        for (int asked = 0; asked < 3; asked++)
            received.push_back(replies.recv());
        std::sort(received.begin(), received.end(), [](auto &one, auto &other) { return one.body() > other.body(); });
        for (nanomsg::request &request : received)
            request.reply("to " + std::string(request.body()));
    });
    for (std::thread &thread : asking)
        thread.join();
    CHECK(receiving == 0 && failures == (std::array<int, 3>{}));
}

static void a_request_ends_at_its_time_limit() {
    const std::string address = new_address();
    nanomsg::replies replies(address);
    nanomsg::requests requests(address);
    replies.socket().recv_timeout(patience);
    CHECK(number_of([&] { requests.ask("one", 20ms); }) == ETIMEDOUT);
    nanomsg::request late = replies.recv();
    std::string answer;
    std::thread asking([&] { number_of([&] { answer = requests.ask("two", patience).view(); }); });
    const int answering = number_of([&] {
        nanomsg::request request = replies.recv();
        late.reply("to one");
        request.reply("to " + std::string(request.body()));
    });
    asking.join();
    CHECK(answering == 0 && late.body() == "one" && answer == "to two");
}

static void a_raw_replier_answers_in_any_order() {
    const std::string address = new_address();
    nanomsg::replies replies(address);
    replies.socket().recv_timeout(patience);
    auto first = open(NN_REQ), second = open(NN_REQ);
    first.connect(address);
    first.send("0");
    nanomsg::request one = replies.recv();
    second.connect(address);
    second.send("1");
    nanomsg::request other = replies.recv();
    for (nanomsg::request *request : {&other, &one})
        request->reply("to " + std::string(request->body()));
    CHECK(first.recv().view() == "to 0");
    CHECK(second.recv().view() == "to 1");
}

int main() {
    const std::vector<std::string> over_tls{"tls+tcp", "wss"}, here{"inproc"},
        everywhere{"inproc", "unix", "ipc", "abstract", "tcp", "ws", "tls+tcp", "wss"};
    struct scenario {
        const char *name;
        const std::vector<std::string> &transports;
        void (*run)();
    };
#define SCENARIO(name, transports) {#name, transports, name}
    const scenario scenarios[] = {
        SCENARIO(pair_talks_both_ways, everywhere),
        SCENARIO(an_empty_message_arrives, everywhere),
        SCENARIO(a_large_message_arrives_whole, everywhere),
        SCENARIO(pubsub_filters_by_topic, everywhere),
        SCENARIO(subscriptions_travel_unless_told_not_to, everywhere),
        SCENARIO(reqrep_answers_whoever_asked, everywhere),
        SCENARIO(pipeline_gives_each_message_to_one, everywhere),
        SCENARIO(survey_collects_answers_and_ends, everywhere),
        SCENARIO(bus_reaches_all_but_the_sender, everywhere),
        SCENARIO(dont_wait_is_its_own_error, here),
        SCENARIO(time_out_is_its_own_error, here),
        SCENARIO(wrong_state_is_its_own_error, here),
        SCENARIO(not_supported_is_its_own_error, here),
        SCENARIO(address_in_use_is_its_own_error, here),
        SCENARIO(a_closed_socket_is_its_own_error, here),
        SCENARIO(closing_ends_a_waiting_receive, here),
        SCENARIO(options_are_read_back, here),
        SCENARIO(poll_tells_who_is_ready, here),
        SCENARIO(a_device_forwards, everywhere),
        SCENARIO(statistics_count_messages, here),
        SCENARIO(a_shut_down_endpoint_is_free_again, here),
        SCENARIO(an_endpoint_tells_its_address, everywhere),
        SCENARIO(a_descriptor_becomes_an_endpoint, here),
        SCENARIO(a_request_to_nobody_fails_if_told_to, here),
        SCENARIO(a_monitor_tells_who_comes_and_goes, everywhere),
        SCENARIO(statistics_are_one_document, here),
        SCENARIO(a_message_tells_its_peer, everywhere),
        SCENARIO(a_certificate_tells_who_the_peer_is, over_tls),
        SCENARIO(a_wrong_certificate_is_refused, over_tls),
        SCENARIO(only_the_newest_is_received_if_told_to, here),
        SCENARIO(a_publisher_waits_if_told_to, here),
        SCENARIO(a_received_message_is_sent_on, here),
        SCENARIO(several_requests_are_answered_in_any_order, everywhere),
        SCENARIO(a_request_ends_at_its_time_limit, here),
        SCENARIO(a_raw_replier_answers_in_any_order, here),
    };
    int failures = 0;
    for (const scenario &scenario : scenarios) {
        for (const std::string &over : scenario.transports) {
            transport = over;
            try {
                scenario.run();
            } catch (const std::exception &failure) {
                std::cout << scenario.name << " over " << over << ": line " << failure.what() << "\n";
                failures++;
            }
        }
        const auto over = &scenario.transports;
        std::cout << scenario.name << (over == &everywhere ? " *\n" : over == &over_tls ? " +\n" : "\n");
    }
    return failures != 0;
}
