// How a script answers.
#include <acairo/script.hpp>
#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <system_error>
#include <utility>

namespace scripted {
namespace {

// More calls than that after a failure, and the test would not end.
constexpr int rescues = 1000;

Script*& installed() {
    static Script* script = nullptr;
    return script;
}

bool matches(const std::string& expected, const std::string& call) {
    return expected == call || expected == call.substr(0, call.find('('));
}

}  // namespace

Script::Script() {
    if (installed()) die("one script at a time");
    installed() = this;
}

Script::~Script() { installed() = nullptr; }

Script& Script::current() {
    if (!installed()) std::abort();
    return *installed();
}

Step& Script::on(std::string call, std::ptrdiff_t result) { return steps_.emplace_back(Step{std::move(call), result}); }

Step& Script::maybe(std::string call, std::ptrdiff_t result) {
    Step& step = on(std::move(call), result);
    step.may_be_skipped = true;
    return step;
}

void Script::receives(const std::string& call, std::string bytes) {
    Step& step = on(call, static_cast<std::ptrdiff_t>(bytes.size()));
    step.bytes = std::move(bytes);
}

Step& Script::ready(std::vector<Ready> events) {
    Step& step = on("epoll_wait", static_cast<std::ptrdiff_t>(events.size()));
    step.events = std::move(events);
    return step;
}

void Script::sleeps(std::chrono::milliseconds duration) {
    on("epoll_wait(3, " + std::to_string(duration.count()) + ")", 0).lasting = duration;
}

std::string Script::sent(int fd) const {
    const auto found = sent_.find(fd);
    return found == sent_.end() ? std::string() : found->second;
}

std::vector<std::string> Script::finish() {
    while (!waiting_.empty()) block();
    for (; next_ != steps_.size() && failures_.empty(); ++next_) {
        if (steps_[next_].may_be_skipped) continue;
        fail("step " + std::to_string(next_) + ", " + steps_[next_].call + ", was never called");
    }
    for (const auto& [fd, calls] : open_) fail("descriptor " + std::to_string(fd) + " was left open");
    return failures_;
}

void Script::fail(const std::string& what) { failures_.push_back(what); }

void Script::require(bool kept, const std::string& rule) {
    if (!kept) fail(rule);
}

void Script::die(const std::string& why) const {
    for (const std::string& failure : failures_) std::fprintf(stderr, "script: %s\n", failure.c_str());
    std::fprintf(stderr, "script: %s, at step %zu of %zu\n", why.c_str(), next_, steps_.size());
    std::abort();
}

void Script::skip_to(const std::string& call) {
    std::size_t step = next_;
    while (step != steps_.size() && steps_[step].may_be_skipped && !matches(steps_[step].call, call)) ++step;
    // Only to where it leads: what needs no step may come in between.
    if (step != steps_.size() && matches(steps_[step].call, call)) next_ = step;
}

bool Script::expects(const std::string& call) {
    skip_to(call);
    return failures_.empty() && next_ != steps_.size() && matches(steps_[next_].call, call);
}

Step Script::take() {
    Step step = steps_[next_++];
    now_ += step.lasting;
    Thread other{step.meanwhile};
    run(other);
    return step;
}

Step Script::answer(const std::string& call, int fd) {
    if (fd >= 0 && !is_open(fd)) fail(call + ": the descriptor is not open");
    if (expects(call)) {
        const auto used = open_.find(fd);
        if (used == open_.end()) return take();
        ++used->second;
        Step step = take();
        // Not by the iterator: the descriptor may have been closed meanwhile, against the rules.
        if (is_open(fd)) --open_[fd];
        return step;
    }
    if (failures_.empty()) {
        fail("step " + std::to_string(next_) + ": expected " +
             (next_ == steps_.size() ? "no more calls" : steps_[next_].call) + ", got " + call);
    }
    return {call, -EIO};
}

Step Script::answer_close(int fd) {
    const std::string call = "close(" + std::to_string(fd) + ")";
    const auto found = open_.find(fd);
    if (found == open_.end()) {
        fail(call + ": the descriptor is not open");
    } else {
        require(found->second == 0, call + " while another call uses it");
        open_.erase(found);
    }
    for (Registration& registration : registrations_[fd]) registration.open = false;
    // Whatever close returns, the descriptor is gone.
    return expects(call) ? take() : Step{call, 0};
}

Step Script::answer_write_counter(int fd) {
    const std::string call = "write_counter(" + std::to_string(fd) + ")";
    require(is_open(fd), call + ": the descriptor is not open");
    const Step step = expects(call) ? take() : Step{call, 8};
    if (step.result >= 0) signalled_[fd] = true;
    return step;
}

int Script::make(const std::string& call, int fd) {
    const int made = static_cast<int>(answer(call, fd).result);
    if (made < 0) return made;
    if (!open_.emplace(made, 0).second) die(call + ": the script gives a number that is in use");
    signalled_.erase(made);
    return made;
}

int Script::control(int epoll, int operation, int fd, const ::epoll_event& wanted) {
    const bool add = operation == EPOLL_CTL_ADD;
    std::string call = "epoll_ctl(" + std::to_string(epoll) + (add ? ", ADD, " : ", MOD, ") + std::to_string(fd) + ",";
    const std::pair<std::uint32_t, const char*> names[] = {{EPOLLIN, " IN"},
                                                           {EPOLLPRI, " PRI"},
                                                           {EPOLLOUT, " OUT"},
                                                           {EPOLLRDHUP, " RDHUP"},
                                                           {static_cast<std::uint32_t>(EPOLLET), " ET"}};
    for (const auto& [bit, name] : names) {
        if (wanted.events & bit) call += name;
    }
    call += ")";
    std::vector<Registration>& all = registrations_[fd];
    const auto known =
        std::find_if(all.begin(), all.end(), [=](const Registration& r) { return r.open && r.epoll == epoll; });
    require(is_open(epoll), call + ": the epoll is not open");
    require(add == (known == all.end()), call + (add ? ": it is registered" : ": it is not registered"));
    const int result = static_cast<int>(answer(call, fd).result);
    if (result != 0) return result;
    if (add) {
        all.push_back({epoll, wanted, is_open(fd)});
    } else if (known != all.end()) {
        known->wanted = wanted;
    }
    return 0;
}

void Script::deliver(const std::vector<Ready>& ready, std::vector<::epoll_event>& to) {
    for (const Ready& event : ready) {
        const std::vector<Registration>& all = registrations_[event.fd];
        const auto found =
            std::find_if(all.rbegin(), all.rend(), [&](const Registration& r) { return r.open != event.stale; });
        if (found == all.rend()) die("the script has events of a descriptor that is not registered");
        const std::uint32_t asked = found->wanted.events | EPOLLERR | EPOLLHUP;
        require((event.events & ~asked) == 0,
                "the script has events of " + std::to_string(event.fd) + " that were not asked for");
        to.push_back({event.events, found->wanted.data});
    }
}

void Script::deliver_wake_ups(int epoll, std::vector<::epoll_event>& to) {
    for (auto& [fd, signalled] : signalled_) {
        for (const Registration& registration : registrations_[fd]) {
            if (!signalled || !registration.open || registration.epoll != epoll) continue;
            signalled = false;
            to.push_back({EPOLLIN, registration.wanted.data});
        }
    }
}

int Script::answer_epoll_wait(int epoll, ::epoll_event* events, int size, int milliseconds) {
    const std::string call = "epoll_wait(" + std::to_string(epoll) + ", " + std::to_string(milliseconds) + ")";
    require(is_open(epoll), call + ": the descriptor is not open");
    std::vector<::epoll_event> found;
    if (!failures_.empty()) {
        if (!rescue || ++rescued_ > rescues) die("nothing ends the test");
        if (milliseconds != 0) {
            Thread other{rescue};
            run(other);
        }
        deliver_wake_ups(epoll, found);
    } else {
        // A poll finds nothing, unless a step names it: time passes, and events come, when everybody sleeps.
        const bool scripted = expects(call) && (milliseconds != 0 || steps_[next_].call == call);
        deliver_wake_ups(epoll, found);
        if (scripted && found.empty()) {
            const Step step = take();
            if (step.result < 0) return static_cast<int>(step.result);
            deliver(step.events, found);
            deliver_wake_ups(epoll, found);
        } else if (milliseconds != 0 && found.empty()) {
            answer(call, epoll);  // is not expected, and says so
            return 0;
        }
    }
    if (found.size() > static_cast<std::size_t>(size)) die("the script has more events than epoll_wait asks for");
    std::copy(found.begin(), found.end(), events);
    return static_cast<int>(found.size());
}

void Script::record_sent(int fd, const char* bytes, std::size_t size) { sent_[fd].append(bytes, size); }

std::shared_ptr<Thread> Script::start(std::function<void()> body) {
    if (expects("thread()")) {
        const Step step = take();
        if (step.result < 0) throw std::system_error(static_cast<int>(-step.result), std::generic_category(), "thread");
    }
    return waiting_.emplace_back(std::make_shared<Thread>(Thread{std::move(body)}));
}

void Script::run(Thread& thread) {
    Thread* const caller = std::exchange(thread_, &thread);
    thread.body();
    // What the body owns ends on its thread.
    thread.body = nullptr;
    thread_ = caller;
}

void Script::join(Thread& thread) {
    const auto found =
        std::find_if(waiting_.begin(), waiting_.end(), [&](const auto& each) { return each.get() == &thread; });
    if (found != waiting_.end()) {
        const std::shared_ptr<Thread> kept = *found;
        waiting_.erase(found);
        run(*kept);
    } else if (thread.body) {
        die("a thread waits for itself");
    }
}

void Script::block() {
    if (waiting_.empty()) die("everybody waits");
    const std::shared_ptr<Thread> first = waiting_.front();
    waiting_.pop_front();
    run(*first);
}

bool Script::block_until(std::chrono::nanoseconds deadline) {
    if (!waiting_.empty()) {
        block();
        return true;
    }
    now_ = std::max(now_, deadline);
    return false;
}

}  // namespace scripted
