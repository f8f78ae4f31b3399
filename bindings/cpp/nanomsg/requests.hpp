// Several requests at once over one socket, and several that are answered in any order: what a NN_REQ, with one request
// under way, and a NN_REP, which answers the one that it received last, cannot do. Their peers are ordinary or raw NN_REP
// and NN_REQ sockets, also behind devices.

#ifndef NANOMSG_REQUESTS_HPP_INCLUDED
#define NANOMSG_REQUESTS_HPP_INCLUDED

#include <nanomsg/nanomsg.hpp>

#include <algorithm>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <random>
#include <unordered_map>

namespace nanomsg {

namespace detail {

// A raw socket that is closed by one thread while others use it: their calls are EBADF from then on, although the
// library may have given its number to another socket.
class shared_socket {
public:
    shared_socket(nanomsg::socket &&raw, int type) : socket_(std::move(raw)) {
        if (socket_.get(NN_SOL_SOCKET, NN_PROTOCOL) != type || socket_.get(NN_SOL_SOCKET, NN_DOMAIN) != AF_SP_RAW)
            throw error("nn_socket", EINVAL);
    }

    nanomsg::socket &get() noexcept { return socket_; }

    void close() {
        int handle;
        {
            const std::lock_guard<std::mutex> lock(mutex_);
            if (std::exchange(closed_, true))
                return;
            handle = socket_.handle();
        }
        nn_close(handle);
    }

    bool try_send(std::string_view header, std::string_view body) {
        const std::lock_guard<std::mutex> lock(mutex_);
        check();
        return socket_.try_send_raw(header, body);
    }

    std::optional<raw_message> try_recv() {
        const std::lock_guard<std::mutex> lock(mutex_);
        check();
        return socket_.try_recv_raw();
    }

    std::chrono::milliseconds recv_timeout() {
        const std::lock_guard<std::mutex> lock(mutex_);
        check();
        return std::chrono::milliseconds(socket_.get(NN_SOL_SOCKET, NN_RCVTIMEO));
    }

    // Until it is ready for that or, it may be, not; at most so long. Negative: without a limit.
    void wait(short events, std::chrono::milliseconds limit) {
        nn_pollfd entry;
        {
            const std::lock_guard<std::mutex> lock(mutex_);
            check();
            entry = {socket_.handle(), events, 0};
        }
        const int time = static_cast<int>(std::min<std::chrono::milliseconds::rep>(limit.count(), INT_MAX));
        if (nn_poll(&entry, 1, time) < 0)
            throw error("nn_poll");
    }

    ~shared_socket() {
        if (closed_)
            socket_.release(); // the number is not ours any more
    }

private:
    void check() const {
        if (closed_)
            throw error("nn_socket", EBADF);
    }

    nanomsg::socket socket_;
    std::mutex mutex_;
    bool closed_ = false;
};

using clock = std::chrono::steady_clock;
constexpr clock::time_point never = clock::time_point::max();

inline clock::time_point after(std::chrono::milliseconds limit) {
    const clock::time_point now = clock::now();
    return limit.count() < 0 || limit >= std::chrono::duration_cast<std::chrono::milliseconds>(never - now) ? never : now + limit;
}

// The whole milliseconds until then, -1 for never.
inline std::chrono::milliseconds until(clock::time_point moment) {
    using std::chrono::milliseconds;
    if (moment == never)
        return milliseconds(-1);
    const auto left = moment - clock::now();
    return left.count() <= 0 ? milliseconds(0) : std::chrono::ceil<milliseconds>(left);
}

inline nanomsg::socket raw(int type, const std::vector<std::string> &addresses) {
    nanomsg::socket opened(type, AF_SP_RAW);
    for (const std::string &address : addresses)
        type == NN_REP ? opened.bind(address) : opened.connect(address);
    return opened;
}

} // namespace detail

// Asks any number of requests at once over one socket. All of it may be called from any thread, but for the end itself,
// which closes the socket.
class requests {
public:
    using milliseconds = std::chrono::milliseconds;

    // Of a raw NN_REQ socket (another one is EINVAL), or of one of its own that it connects to these addresses. A request
    // without a reply is sent again after resend (at least 1 ms, else EINVAL; negative for never), possibly to another
    // peer: it should do no harm to answer one twice. That a peer has gone is not noticed otherwise.
    explicit requests(nanomsg::socket &&raw_req, milliseconds resend = milliseconds(60000))
        : socket_(std::move(raw_req), NN_REQ), resend_(resend) {
        if (resend.count() == 0)
            throw error("requests", EINVAL);
        std::random_device random;
        next_ = random() & 0x7fffffff;
    }

    explicit requests(const std::vector<std::string> &addresses, milliseconds resend = milliseconds(60000))
        : requests(detail::raw(NN_REQ, addresses), resend) {}

    explicit requests(const std::string &address, milliseconds resend = milliseconds(60000))
        : requests(std::vector<std::string>{address}, resend) {}

    // Sends a request and returns the reply to it; also waits for a peer to send to. ETIMEDOUT after the limit (negative:
    // there is none), EBADF when it is closed, EINTR when a signal handler ran.
    message ask(std::string_view body, milliseconds limit) {
        const auto deadline = detail::after(limit);
        asked mine;
        const entry under_way(*this, mine);
        const std::string header = under_way.header();
        while (!socket_.try_send(header, body)) {
            if (detail::clock::now() >= deadline)
                throw error("nn_poll", ETIMEDOUT);
            socket_.wait(NN_POLLOUT, detail::until(deadline));
        }
        auto again = detail::after(resend_);
        for (;;) {
            if (wait(mine, std::min(deadline, again)))
                return std::move(*mine.reply);
            const auto now = detail::clock::now();
            if (now >= deadline)
                throw error("nn_poll", ETIMEDOUT);
            if (now >= again)
                again = detail::after(socket_.try_send(header, body) ? resend_ : milliseconds(100));
        }
    }

    // With NN_RCVTIMEO of the socket as the limit.
    message ask(std::string_view body) { return ask(body, socket_.recv_timeout()); }

    // Those who wait get EBADF, and so does everybody later.
    void close() { socket_.close(); }

    // For its options, endpoints and statistics until it is closed, and not for sending or receiving.
    nanomsg::socket &socket() noexcept { return socket_.get(); }

private:
    struct asked {
        std::optional<message> reply;
        std::condition_variable changed;
        bool asleep = false;
        bool reads = false;
    };

    // A request under way, for as long as this lives.
    class entry {
    public:
        entry(requests &of, asked &mine) : of_(of), mine_(mine) {
            const std::lock_guard<std::mutex> lock(of_.mutex_);
            do {
                id_ = 0x80000000 | of_.next_;
                of_.next_ = (of_.next_ + 1) & 0x7fffffff;
            } while (!of_.outstanding_.emplace(id_, &mine_).second);
        }

        ~entry() {
            const std::lock_guard<std::mutex> lock(of_.mutex_);
            of_.outstanding_.erase(id_);
            of_.hand_on(mine_);
        }

        entry(const entry &) = delete;
        entry &operator=(const entry &) = delete;

        std::string header() const {
            std::string bytes(4, '\0');
            for (std::size_t at = 0; at < 4; at++)
                bytes[at] = static_cast<char>(id_ >> (24 - 8 * at) & 0xff);
            return bytes;
        }

    private:
        requests &of_;
        asked &mine_;
        std::uint32_t id_ = 0;
    };

    // Until the reply is there, which is true, or the time has come. One of those who wait reads for all; the others sleep,
    // and one of them follows it.
    bool wait(asked &mine, detail::clock::time_point moment) {
        std::unique_lock<std::mutex> lock(mutex_);
        while (!mine.reply && !mine.reads && detail::clock::now() < moment) {
            if (!reading_) {
                reading_ = mine.reads = true;
                break;
            }
            mine.asleep = true;
            if (moment == detail::never)
                mine.changed.wait(lock);
            else
                mine.changed.wait_until(lock, moment);
            mine.asleep = false;
        }
        while (!mine.reply && detail::clock::now() < moment) {
            lock.unlock();
            std::optional<raw_message> received = socket_.try_recv();
            if (!received)
                socket_.wait(NN_POLLIN, detail::until(moment));
            lock.lock();
            if (received)
                hand_out(*received);
        }
        return mine.reply.has_value();
    }

    // What came late, twice or unasked is nobody's.
    void hand_out(raw_message &received) {
        std::uint32_t id = 0;
        for (const char byte : received.header)
            id = id << 8 | static_cast<unsigned char>(byte);
        const auto found = received.header.size() == 4 ? outstanding_.find(id) : outstanding_.end();
        if (found == outstanding_.end())
            return;
        found->second->reply = std::move(received.body);
        found->second->changed.notify_one();
        outstanding_.erase(found);
    }

    // Whoever leaves lets another one read.
    void hand_on(asked &mine) {
        if (mine.reads)
            reading_ = false;
        if (reading_)
            return;
        for (auto &[id, other] : outstanding_) {
            if (other->asleep) {
                other->changed.notify_one();
                return;
            }
        }
    }

    detail::shared_socket socket_;
    const milliseconds resend_;
    std::mutex mutex_;
    std::unordered_map<std::uint32_t, asked *> outstanding_;
    std::uint32_t next_ = 0;
    bool reading_ = false;
};

// A request that was received, to be answered from any thread, or not at all.
class request {
public:
    std::string_view body() const noexcept { return received_.body.view(); }

    // The way back (the backtrace): the connection that it came by, the hops before it, its id.
    std::string_view header() const noexcept { return received_.header; }

    // Sends the reply; it is dropped if who asked has gone, or takes no more. EFSM the second time, EBADF once the
    // replies object that received it is closed.
    void reply(std::string_view body) {
        if (socket_ == nullptr)
            throw error("nn_sendmsg", EFSM);
        socket_->try_send(received_.header, body);
        socket_.reset();
    }

private:
    friend class replies;
    request(std::shared_ptr<detail::shared_socket> from, raw_message &&received)
        : socket_(std::move(from)), received_(std::move(received)) {}

    std::shared_ptr<detail::shared_socket> socket_;
    raw_message received_;
};

// Receives requests, any number before the first is answered. All of it may be called from any thread, but for the end
// itself, which closes the socket.
class replies {
public:
    // Of a raw NN_REP socket (another one is EINVAL), or of one of its own that it binds to these addresses.
    explicit replies(nanomsg::socket &&raw_rep)
        : socket_(std::make_shared<detail::shared_socket>(std::move(raw_rep), NN_REP)) {}

    explicit replies(const std::vector<std::string> &addresses) : replies(detail::raw(NN_REP, addresses)) {}
    explicit replies(const std::string &address) : replies(std::vector<std::string>{address}) {}

    replies(const replies &) = delete;
    replies &operator=(const replies &) = delete;

    ~replies() { socket_->close(); }

    // As NN_RCVTIMEO says: ETIMEDOUT. EBADF when it is closed, EINTR when a signal handler ran.
    request recv() {
        const auto deadline = detail::after(socket_->recv_timeout());
        for (;;) {
            if (std::optional<request> received = try_recv())
                return std::move(*received);
            if (detail::clock::now() >= deadline)
                throw error("nn_poll", ETIMEDOUT);
            socket_->wait(NN_POLLIN, detail::until(deadline));
        }
    }

    // Nothing, if there is none now.
    std::optional<request> try_recv() {
        std::optional<raw_message> received = socket_->try_recv();
        if (!received)
            return std::nullopt;
        return request(socket_, std::move(*received));
    }

    void close() { socket_->close(); }

    // For its options, endpoints and statistics until it is closed, and not for sending or receiving.
    nanomsg::socket &socket() noexcept { return socket_->get(); }

private:
    std::shared_ptr<detail::shared_socket> socket_;
};

} // namespace nanomsg

#endif // NANOMSG_REQUESTS_HPP_INCLUDED
