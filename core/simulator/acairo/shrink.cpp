// The passes of the shrinker.
#include <acairo/shrink.hpp>
#include <algorithm>
#include <ctime>
#include <tuple>

namespace acairo::simulator {
namespace {

constexpr std::array order{Tag::fault,    Tag::allocation, Tag::cancel, Tag::clock,
                           Tag::schedule, Tag::transfer,   Tag::order,  Tag::workload};

auto cost(const Recording& recording) {
    std::uint64_t sum = 0;
    for (const Choice& choice : recording) sum += choice.value;
    return std::tuple(nonzero(recording), recording.size(), sum);
}

class Shrinker {
public:
    Shrinker(const Property& property, Result failing, std::uint64_t tries, std::chrono::seconds time)
        : property_(property), best_(std::move(failing)), tries_(tries), until_(std::time(nullptr) + time.count()) {}

    Shrunk run() {
        for (auto before = cost(best_.recording); may_try(); before = cost(best_.recording)) {
            for (const Tag tag : order) zero_all(tag);
            cut_the_end();
            for (const Tag tag : order) zero_some(tag);
            remove_some();
            lower_values();
            if (cost(best_.recording) == before) break;
        }
        return {std::move(best_), used_};
    }

private:
    bool may_try() const { return used_ < tries_ && std::time(nullptr) < until_; }

    bool accept(const Recording& candidate) {
        if (!may_try()) return false;
        ++used_;
        Result result = run_in_child(
            property_, [&] { return std::make_unique<Edited>(candidate); }, false, std::chrono::seconds(10));
        if (result.kind != best_.kind || !(cost(result.recording) < cost(best_.recording))) return false;
        best_ = std::move(result);
        return true;
    }

    template <class Change> bool accept_changed(std::size_t from, std::size_t to, Change&& change) {
        Recording candidate = best_.recording;
        bool changed = false;
        for (std::size_t i = from; i < std::min(to, candidate.size()); ++i) changed = change(candidate[i]) || changed;
        return changed && accept(candidate);
    }

    static auto zeroing(Tag tag) {
        return [tag](Choice& choice) { return choice.tag == tag && std::exchange(choice.value, 0) != 0; };
    }

    void zero_all(Tag tag) { accept_changed(0, best_.recording.size(), zeroing(tag)); }

    // In halves, quarters, ..., down to single choices.
    void zero_some(Tag tag) {
        for (std::size_t size = best_.recording.size() / 2; size != 0; size /= 2) {
            // From the end: what comes late depends on what came early, and not the other way round.
            for (std::size_t end = best_.recording.size(); end != 0 && may_try(); end -= std::min(size, end)) {
                accept_changed(end - std::min(size, end), end, zeroing(tag));
            }
        }
    }

    void cut_the_end() {
        for (std::size_t keep = 0, size = best_.recording.size() / 2; size != 0; size /= 2) {
            Recording candidate = best_.recording;
            candidate.resize(std::min(candidate.size(), keep + size));
            if (!accept(candidate)) keep += size;
        }
    }

    void remove_some() {
        for (std::size_t size = std::max<std::size_t>(best_.recording.size() / 4, 1); size != 0; size /= 2) {
            for (std::size_t end = best_.recording.size(); end >= size && may_try(); end -= size) {
                Recording candidate = best_.recording;
                if (end > candidate.size()) continue;
                const auto last = candidate.begin() + static_cast<std::ptrdiff_t>(end);
                candidate.erase(last - static_cast<std::ptrdiff_t>(size), last);
                accept(candidate);
            }
            if (size > 1 && used_ > tries_ / 2) break;
        }
    }

    void lower_values() {
        for (std::size_t at = 0; at < best_.recording.size() && may_try(); ++at) {
            while (accept_changed(at, at + 1, [](Choice& choice) {
                const std::uint64_t half = choice.value / 2;
                return std::exchange(choice.value, half) != half;
            })) {}
            accept_changed(at, at + 1, [](Choice& choice) {
                return std::exchange(choice.value, std::max<std::uint64_t>(choice.value, 1) - 1) != 0;
            });
        }
    }

    const Property& property_;
    Result best_;
    const std::uint64_t tries_;
    const std::time_t until_;
    std::uint64_t used_ = 0;
};

}  // namespace

std::size_t nonzero(const Recording& recording) noexcept {
    return static_cast<std::size_t>(
        std::ranges::count_if(recording, [](const Choice& choice) { return choice.value != 0; }));
}

Edited::Edited(const Recording& recording) {
    for (const Choice& choice : recording) by_tag_[static_cast<std::size_t>(choice.tag)].values.push_back(choice.value);
}

std::uint64_t Edited::below(std::uint64_t n, Tag tag) {
    Answers& answers = by_tag_[static_cast<std::size_t>(tag)];
    if (answers.next == answers.values.size()) return 0;
    const std::uint64_t value = answers.values[answers.next++];
    return value < n ? value : 0;
}

Shrunk shrink(const Property& property, Result failing, std::uint64_t tries, std::chrono::seconds time) {
    return Shrinker(property, std::move(failing), tries, time).run();
}

}  // namespace acairo::simulator
