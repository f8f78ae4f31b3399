// nanomsg in C++17: sockets and messages that free themselves, errors as exceptions. One header over the C functions;
// link with -lnanomsg.

#ifndef NANOMSG_HPP_INCLUDED
#define NANOMSG_HPP_INCLUDED

#include <nanomsg/nn.h>

#include <nanomsg/bus.h>
#include <nanomsg/inproc.h>
#include <nanomsg/ipc.h>
#include <nanomsg/pair.h>
#include <nanomsg/pipeline.h>
#include <nanomsg/pubsub.h>
#include <nanomsg/reqrep.h>
#include <nanomsg/survey.h>
#include <nanomsg/tcp.h>
#include <nanomsg/ws.h>
// Upstream has them since 1.3.0.
#if __has_include(<nanomsg/unix.h>)
#include <nanomsg/unix.h>
#include <nanomsg/winpipe.h>
#endif
#if __has_include(<nanomsg-rs/forward.h>)
#include <nanomsg-rs/forward.h>
#endif
#if __has_include(<nanomsg-rs/options.h>)
#include <nanomsg-rs/options.h>
#endif
#if __has_include(<nanomsg-rs/monitor.h>)
#include <nanomsg-rs/monitor.h>
#endif
#if __has_include(<nanomsg-rs/tls.h>)
#include <nanomsg-rs/tls.h>
#endif

#include <atomic>
#include <chrono>
#include <climits>
#include <cstdint>
#include <cstring>
#include <exception>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace nanomsg {

// A call has failed: with which errno, and which call.
class error : public std::exception {
public:
    explicit error(const char *call, int number = nn_errno())
        : number_(number), text_(std::string(call) + ": " + nn_strerror(number)) {}

    int number() const noexcept { return number_; }
    const char *what() const noexcept override { return text_.c_str(); }

private:
    int number_;
    std::string text_;
};

// Bytes in the library's memory, which can be sent without a copy. One that was moved from is empty.
class message {
public:
    message() noexcept = default;

    // Bytes to be filled in.
    explicit message(std::size_t size) : start_(nn_allocmsg(size, 0)), size_(size) {
        if (start_ == nullptr)
            throw error("nn_allocmsg");
    }

    explicit message(std::string_view body) : message(body.size()) {
        if (!body.empty())
            std::memcpy(start_, body.data(), body.size());
    }

    message(message &&other) noexcept
        : start_(std::exchange(other.start_, nullptr)), size_(std::exchange(other.size_, 0)) {}

    message &operator=(message &&other) noexcept {
        message taken(std::move(other));
        std::swap(start_, taken.start_);
        std::swap(size_, taken.size_);
        return *this;
    }

    message(const message &) = delete;
    message &operator=(const message &) = delete;

    ~message() {
        if (start_ != nullptr)
            nn_freemsg(start_);
    }

    char *data() noexcept { return static_cast<char *>(start_); }
    const char *data() const noexcept { return static_cast<const char *>(start_); }
    std::size_t size() const noexcept { return size_; }
    bool empty() const noexcept { return size_ == 0; }
    std::string_view view() const noexcept { return {data(), size_}; }
    operator std::string_view() const noexcept { return view(); }

    // Keeps the bytes there are; after an error also all of them.
    void resize(std::size_t size) {
        void *start = start_ == nullptr ? nn_allocmsg(size, 0) : nn_reallocmsg(start_, size);
        if (start == nullptr)
            throw error("nn_reallocmsg");
        start_ = start;
        size_ = size;
    }

private:
    friend class socket;
    void *start_ = nullptr;
    std::size_t size_ = 0;
};

// What a raw socket sends and receives: a message, and the header that it is routed by.
struct raw_message {
    std::string header;
    message body;
};

// A socket of one of the types NN_PAIR, NN_PUB and so on; closed at its end. All of it may be called from any thread,
// but for moving and the end itself.
class socket {
public:
    explicit socket(int type, int domain = AF_SP) : handle_(nn_socket(domain, type)) {
        if (handle_ < 0)
            throw error("nn_socket");
    }

    socket(socket &&other) noexcept : handle_(std::exchange(other.handle_, -1)) {}

    socket &operator=(socket &&other) noexcept {
        socket taken(std::move(other));
        std::swap(handle_, taken.handle_);
        return *this;
    }

    socket(const socket &) = delete;
    socket &operator=(const socket &) = delete;

    ~socket() {
        if (handle_ >= 0)
            nn_close(handle_);
    }

    // For the C functions.
    int handle() const noexcept { return handle_; }

    // Before its end; after it every call is EBADF.
    void close() {
        check(nn_close(std::exchange(handle_, -1)), "nn_close");
    }

    // Whoever calls it has to close the handle, if nobody has yet.
    int release() noexcept { return std::exchange(handle_, -1); }

    // The endpoint's id, for shutdown.
    int bind(const std::string &address) { return check(nn_bind(handle_, address.c_str()), "nn_bind"); }
    int connect(const std::string &address) { return check(nn_connect(handle_, address.c_str()), "nn_connect"); }
    void shutdown(int endpoint) { check(nn_shutdown(handle_, endpoint), "nn_shutdown"); }

    void send(std::string_view body) { check(nn_send(handle_, start(body), body.size(), 0), "nn_send"); }

    // Without a copy. After an error the message is as it was.
    void send(message &&body) {
        if (body.start_ == nullptr)
            return send(std::string_view());
        check(nn_send(handle_, &body.start_, NN_MSG, 0), "nn_send");
        gone(body);
    }

    // False, if it would have to wait.
    bool try_send(std::string_view body) {
        return try_check(nn_send(handle_, start(body), body.size(), NN_DONTWAIT), "nn_send");
    }

    bool try_send(message &&body) {
        if (body.start_ == nullptr)
            return try_send(std::string_view());
        if (!try_check(nn_send(handle_, &body.start_, NN_MSG, NN_DONTWAIT), "nn_send"))
            return false;
        gone(body);
        return true;
    }

    message recv() {
        message received;
        received.size_ = size(check(nn_recv(handle_, &received.start_, NN_MSG, 0), "nn_recv"));
        return received;
    }

    // Nothing, if there is none now.
    std::optional<message> try_recv() {
        message received;
        int length = nn_recv(handle_, &received.start_, NN_MSG, NN_DONTWAIT);
        if (!try_check(length, "nn_recv"))
            return std::nullopt;
        received.size_ = size(length);
        return received;
    }

    // With its header, for raw sockets. False, if it would have to wait.
    bool try_send_raw(std::string_view header, std::string_view body) {
        std::size_t count = header.size();
        std::vector<char> control(NN_CMSG_SPACE(sizeof count + count));
        nn_cmsghdr head{};
        head.cmsg_len = NN_CMSG_LEN(sizeof count + count);
        head.cmsg_level = PROTO_SP;
        head.cmsg_type = SP_HDR;
        std::memcpy(control.data(), &head, sizeof head);
        std::memcpy(control.data() + sizeof head, &count, sizeof count);
        if (count > 0)
            std::memcpy(control.data() + sizeof head + sizeof count, header.data(), count);
        nn_iovec part{const_cast<char *>(start(body)), body.size()};
        nn_msghdr parts{&part, 1, control.data(), control.size()};
        return try_check(nn_sendmsg(handle_, &parts, NN_DONTWAIT), "nn_sendmsg");
    }

    raw_message recv_raw() {
        raw_message received;
        check(receive(received, 0), "nn_recvmsg");
        return received;
    }

    // Nothing, if there is none now.
    std::optional<raw_message> try_recv_raw() {
        raw_message received;
        if (!try_check(receive(received, NN_DONTWAIT), "nn_recvmsg"))
            return std::nullopt;
        return received;
    }

    void set(int level, int option, int value) {
        check(nn_setsockopt(handle_, level, option, &value, sizeof value), "nn_setsockopt");
    }

    void set(int level, int option, std::string_view value) {
        check(nn_setsockopt(handle_, level, option, start(value), value.size()), "nn_setsockopt");
    }

    int get(int level, int option) const {
        int value = 0;
        std::size_t length = sizeof value;
        check(nn_getsockopt(handle_, level, option, &value, &length), "nn_getsockopt");
        return value;
    }

    // Negative: without a limit.
    void send_timeout(std::chrono::milliseconds limit) { set(NN_SOL_SOCKET, NN_SNDTIMEO, milliseconds(limit)); }
    void recv_timeout(std::chrono::milliseconds limit) { set(NN_SOL_SOCKET, NN_RCVTIMEO, milliseconds(limit)); }
    void linger(std::chrono::milliseconds limit) { set(NN_SOL_SOCKET, NN_LINGER, milliseconds(limit)); }

    void subscribe(std::string_view prefix) { set(NN_SUB, NN_SUB_SUBSCRIBE, prefix); }
    void unsubscribe(std::string_view prefix) { set(NN_SUB, NN_SUB_UNSUBSCRIBE, prefix); }

#ifdef NN_SUB_FORWARD
    // PUB, SUB: whether connections to come carry subscriptions, so that a PUB sends only what is wanted.
    bool forward_subscriptions() const { return get(get(NN_SOL_SOCKET, NN_PROTOCOL), NN_SUB_FORWARD) != 0; }
    void forward_subscriptions(bool forward) { set(get(NN_SOL_SOCKET, NN_PROTOCOL), NN_SUB_FORWARD, forward); }
#endif

#ifdef NN_ENDPOINT
    // With the port that the system has chosen where port 0 was bound.
    std::string endpoint_address(int endpoint) const {
        return text(NN_ENDPOINT, endpoint);
    }

    // REQ: whether a request that no peer can take fails at once, with EAGAIN.
    void fail_fast(bool fail) { set(NN_REQ, NN_REQ_FAIL_FAST, fail); }

    // For connections made afterwards, in milliseconds; 0: the kernel's times, and no questions.
    void keepalive(int idle, int interval = 0, int count = 0) {
        set(NN_TCP, NN_TCP_KEEPALIVE_IDLE, idle);
        set(NN_TCP, NN_TCP_KEEPALIVE_INTERVAL, interval);
        set(NN_TCP, NN_TCP_KEEPALIVE_COUNT, count);
    }
    void user_timeout(int ms) { set(NN_TCP, NN_TCP_USER_TIMEOUT, ms); }
    void connect_timeout(int ms) { set(NN_SOL_SOCKET, NN_CONNECT_TIMEOUT, ms); }

    // Permission bits of the files of ipc sockets bound afterwards; -1: as the umask says.
    void ipc_mode(int mode) { set(NN_IPC, NN_IPC_MODE, mode); }
#endif

#ifdef NN_SHARED_MEMORY
    // Whether large messages go by reference on new ipc connections: 0 no, 1 to processes of the same user, 2 to all.
    void shared_memory(int with) { set(NN_SOL_SOCKET, NN_SHARED_MEMORY, with); }
    // Bytes from which messages go that way.
    void shared_memory_min(int bytes) { set(NN_SOL_SOCKET, NN_SHARED_MEMORY_MIN, bytes); }
#endif

#ifdef NN_CONFLATE
    // SUB, PULL, PAIR: whether an unread message is replaced by the next one whose first bytes, so many, are the same.
    void conflate(bool newest, int prefix = 0) {
        set(NN_SOL_SOCKET, NN_CONFLATE_PREFIX, prefix);
        set(NN_SOL_SOCKET, NN_CONFLATE, newest);
    }

    // PUB, BUS, SURVEYOR: what becomes of messages for peers that are too slow; one of NN_OVERFLOW_*.
    void overflow(int policy) { set(NN_SOL_SOCKET, NN_OVERFLOW, policy); }

    // Silence after which a WebSocket's peer is asked for a sign of life, and after as much again given up; zero: never.
    void ws_ping(std::chrono::milliseconds silence) { set(NN_WS, NN_WS_PING, milliseconds(silence)); }
#endif

#ifdef NN_TLS
    // tls+tcp and wss, for endpoints made afterwards. The text of PEM or the path of a file of it; empty: none, and to be trusted
    // the system's.
    void tls_ca(std::string_view certificates) { set(NN_TLS, NN_TLS_CA, certificates); }
    void tls_cert(std::string_view certificate) { set(NN_TLS, NN_TLS_CERT, certificate); }
    // Unless it stands beside the certificate.
    void tls_key(std::string_view key) { set(NN_TLS, NN_TLS_KEY, key); }

    // Which peers have to show a certificate: 0 nobody, 1 whoever shows one, 2 everybody; -1: everybody when connecting, nobody
    // when bound.
    void tls_verify(int whom) { set(NN_TLS, NN_TLS_VERIFY, whom); }

    // The name to ask for and to verify; empty: the host of the address.
    void tls_name(std::string_view name) { set(NN_TLS, NN_TLS_NAME, name); }

    // The oldest version that is spoken, 12 or 13.
    void tls_min_version(int oldest) { set(NN_TLS, NN_TLS_MIN_VERSION, oldest); }
#endif

#ifdef NN_MONITOR
    // Publishes what happens to the socket at this address; empty: nowhere. The class monitor does, and reads it.
    void monitor(const std::string &address) { set(NN_SOL_SOCKET, NN_MONITOR, address); }
    // With the port that the system has chosen.
    std::string monitor() const { return text(NN_SOL_SOCKET, NN_MONITOR); }

    // Counters, endpoints and connections as one JSON document (nn_monitor(7)).
    std::string report() const { return text(NN_SOL_SOCKET, NN_STATISTICS); }

    // Whether recv_from tells whom a message came from.
    void recv_peer(bool tell) { set(NN_SOL_SOCKET, NN_RECV_PEER, tell); }

    // A message and its peer as a JSON object, which is empty if recv_peer is not set.
    std::pair<message, std::string> recv_from() {
        message received;
        alignas(std::size_t) char control[2048] = {};
        nn_iovec part{&received.start_, NN_MSG};
        nn_msghdr header{&part, 1, control, sizeof control};
        received.size_ = size(check(nn_recvmsg(handle_, &header, 0), "nn_recvmsg"));
        std::string peer;
        for (nn_cmsghdr *one = NN_CMSG_FIRSTHDR(&header); one != nullptr; one = NN_CMSG_NXTHDR(&header, one)) {
            if (one->cmsg_level == NN_SOL_SOCKET && one->cmsg_type == NN_RECV_PEER)
                peer.assign(reinterpret_cast<const char *>(NN_CMSG_DATA(one)), one->cmsg_len - NN_CMSG_LEN(0));
        }
        return {std::move(received), std::move(peer)};
    }
#endif

    // An option that is text, however long it is.
    std::string text(int level, int option) const {
        std::string value(512, '\0');
        for (;;) {
            std::size_t length = value.size();
            check(nn_getsockopt(handle_, level, option, value.data(), &length), "nn_getsockopt");
            const bool whole = length <= value.size();
            // Otherwise twice as much as it was: it may grow until we look again.
            value.resize(whole ? length : 2 * length);
            if (whole)
                return value;
        }
    }

    // One of NN_STAT_*.
    std::uint64_t statistic(int number) const {
        std::uint64_t value = nn_get_statistic(handle_, number);
        if (value == UINT64_MAX && number != NN_STAT_CURRENT_SND_PRIORITY)
            throw error("nn_get_statistic");
        return value;
    }

private:
    static int check(int result, const char *call) {
        if (result < 0)
            throw error(call);
        return result;
    }

    static bool try_check(int result, const char *call) {
        if (result < 0 && nn_errno() == EAGAIN)
            return false;
        check(result, call);
        return true;
    }

    int receive(raw_message &received, int flags) {
        alignas(std::size_t) char control[2048] = {}; // more than the header of a message that has made 255 hops
        nn_iovec part{&received.body.start_, NN_MSG};
        nn_msghdr parts{&part, 1, control, sizeof control};
        int length = nn_recvmsg(handle_, &parts, flags);
        if (length < 0)
            return length;
        received.body.size_ = size(length);
        for (nn_cmsghdr *head = NN_CMSG_FIRSTHDR(&parts); head != nullptr; head = NN_CMSG_NXTHDR(&parts, head)) {
            if (head->cmsg_level != PROTO_SP || head->cmsg_type != SP_HDR)
                continue;
            std::size_t count = 0;
            const unsigned char *data = NN_CMSG_DATA(head);
            std::memcpy(&count, data, sizeof count);
            received.header.assign(reinterpret_cast<const char *>(data) + sizeof count, count);
        }
        return length;
    }

    // The library has the message now.
    static void gone(message &body) noexcept {
        body.start_ = nullptr;
        body.size_ = 0;
    }

    static std::size_t size(int length) noexcept { return static_cast<std::size_t>(length); }
    static const char *start(std::string_view bytes) noexcept { return bytes.data() == nullptr ? "" : bytes.data(); }

    static int milliseconds(std::chrono::milliseconds limit) noexcept {
        return limit.count() > INT_MAX ? -1 : limit.count() < 0 ? -1 : static_cast<int>(limit.count());
    }

    int handle_;
};

#ifdef NN_MONITOR
// What has happened to a socket: the name of the event, and all of it as a JSON object (nn_monitor(7)).
struct monitor_event {
    std::string event;
    std::string json;
};

// Lets a socket publish what happens to its endpoints and connections, and receives it: from the first event on, and to
// the last, which is monitor_stopped, if the socket is closed. socket::monitor("") ends the publishing.
class monitor {
public:
    explicit monitor(socket &watched) : monitor(watched, own_address()) {}

    // Published within the process, where others may subscribe too: an inproc address.
    monitor(socket &watched, const std::string &address) : events_(NN_SUB) {
        events_.subscribe("");
        events_.set(NN_SOL_SOCKET, NN_RCVBUF, 1 << 20);
        events_.set(NN_SOL_SOCKET, NN_RCVMAXSIZE, -1);
        // It is there before anything is published.
        events_.connect(address);
        watched.monitor(address);
    }

    // The next event; nothing, if there is none within that time. Negative: without a limit.
    std::optional<monitor_event> next(std::chrono::milliseconds limit) {
        events_.recv_timeout(limit);
        try {
            const message received = events_.recv();
            const std::string_view whole = received.view();
            const std::size_t space = whole.find(' ');
            return monitor_event{std::string(whole.substr(0, space)), std::string(whole.substr(space + 1))};
        } catch (const error &failure) {
            if (failure.number() == ETIMEDOUT)
                return std::nullopt;
            throw;
        }
    }

private:
    static std::string own_address() {
        static std::atomic<unsigned> count{0};
        return "inproc://nanomsg.hpp-monitor-" + std::to_string(++count);
    }

    socket events_;
};
#endif

// What to wait for, with poll.
struct pollfd : nn_pollfd {
    pollfd(const socket &of, short wanted) : nn_pollfd{of.handle(), wanted, 0} {}
    bool can_recv() const noexcept { return (revents & NN_POLLIN) != 0; }
    bool can_send() const noexcept { return (revents & NN_POLLOUT) != 0; }
};

// How many are ready; 0, if the time has passed. Negative: without a limit.
inline int poll(std::vector<pollfd> &fds, std::chrono::milliseconds limit) {
    static_assert(sizeof(pollfd) == sizeof(nn_pollfd), "nn_poll reads them one behind the other");
    int time = limit.count() < 0 || limit.count() > INT_MAX ? -1 : static_cast<int>(limit.count());
    int ready = nn_poll(fds.data(), static_cast<int>(fds.size()), time);
    if (ready < 0)
        throw error("nn_poll");
    return ready;
}

// Forwards between two raw sockets, both ways, until one of them is closed; that it ends is the error it throws.
[[noreturn]] inline void device(const socket &first, const socket &second) {
    // To nn_device the number of a closed one would mean that there is no other.
    if (first.handle() < 0 || second.handle() < 0)
        throw error("nn_device", EBADF);
    nn_device(first.handle(), second.handle());
    throw error("nn_device");
}

// Sends what one raw socket receives back into it.
[[noreturn]] inline void device(const socket &only) {
    if (only.handle() < 0)
        throw error("nn_device", EBADF);
    nn_device(only.handle(), -1);
    throw error("nn_device");
}

} // namespace nanomsg

#endif // NANOMSG_HPP_INCLUDED
