// Clocks, and the last stores of each object.
#include <acairo/memory_model.hpp>
#include <acairo/sanitizers.hpp>

namespace acairo::simulator {
namespace {

constexpr std::uint32_t threads = std::tuple_size_v<MemoryModel::Clock>;

std::uint32_t place_of(std::uint32_t fiber) noexcept { return fiber < threads ? fiber : threads - 1; }

bool acquires(std::memory_order order) noexcept {
    return order != std::memory_order_relaxed && order != std::memory_order_release;
}

bool releases(std::memory_order order) noexcept {
    return order == std::memory_order_release || order == std::memory_order_acq_rel ||
           order == std::memory_order_seq_cst;
}

}  // namespace

MemoryModel::MemoryModel() = default;
MemoryModel::~MemoryModel() = default;

void MemoryModel::reset(bool on) noexcept {
    on_ = on;
    ++run_;
    fiber_ = step_ = seen_by_all_ = 0;
    clocks_ = {};
}

void MemoryModel::is_at(std::uint32_t fiber, std::uint64_t step) noexcept {
    step_ = static_cast<std::uint32_t>(step);
    fiber_ = place_of(fiber);
    mine()[fiber_] = step_;
}

void MemoryModel::join(Clock& to, const Clock& from) noexcept {
    for (std::uint32_t i = 0; i < threads; ++i) to[i] = to[i] < from[i] ? from[i] : to[i];
}

bool MemoryModel::is_known(std::uint32_t fiber, std::uint32_t step) const noexcept {
    return step <= seen_by_all_ || step <= clocks_[fiber_][fiber];
}

MemoryModel::Object& MemoryModel::object(std::uint32_t number) {
    // Not the run's own memory; and where nothing is inlined, a copy is a call that the thread sanitizer hears.
    const Unseen unseen;
    if (number >= objects_.size()) objects_.resize(number + number / 2 + 16);
    Object& it = objects_[number];
    if (it.run != run_) {
        it.run = run_;
        it.newest = it.sequential = 0;
        it.released = {};
    }
    return it;
}

void MemoryModel::starts(std::uint32_t fiber) noexcept { join(clocks_[place_of(fiber)], mine()); }

void MemoryModel::joins(std::uint32_t fiber) noexcept { join(mine(), clocks_[place_of(fiber)]); }

void MemoryModel::releases(std::uint32_t number) {
    if (number >= most_objects) return all_seen();
    join(object(number).released, mine());
}

void MemoryModel::acquires(std::uint32_t number) {
    if (number < most_objects) join(mine(), object(number).released);
}

std::uint32_t MemoryModel::older_stores(std::uint32_t number, std::memory_order order) const noexcept {
    if (number >= objects_.size()) return 0;
    const Object& it = objects_[number];
    if (it.run != run_ || it.newest == 0) return 0;
    std::uint32_t first = it.newest < remembered_stores ? 1 : it.newest - remembered_stores + 1;
    if (order == std::memory_order_seq_cst && it.sequential > first) first = it.sequential;
    for (std::uint32_t store = it.newest; store > first; --store) {
        if (is_behind(it.store(store))) first = store;
    }
    return it.newest - first;
}

// Whether it, or a look at it, happens before.
bool MemoryModel::is_behind(const Store& store) const noexcept {
    if (is_known(store.fiber, store.step)) return true;
    for (std::uint32_t fiber = 0; fiber < threads; ++fiber) {
        if (store.seen[fiber] != 0 && is_known(fiber, store.seen[fiber])) return true;
    }
    return false;
}

void MemoryModel::sees(Object& it, std::uint32_t store, std::memory_order order) noexcept {
    Store& seen = it.store(store);
    if (seen.seen[fiber_] == 0) seen.seen[fiber_] = step_;
    if (order == std::memory_order_seq_cst && it.sequential < store) it.sequential = store;
    if (simulator::acquires(order)) join(mine(), seen.released);
}

std::uint64_t MemoryModel::loads(std::uint32_t number, std::uint64_t newest, std::uint32_t older,
                                 std::memory_order order) noexcept {
    if (number >= objects_.size()) return newest;
    Object& it = objects_[number];
    if (it.run != run_ || it.newest == 0) return newest;
    sees(it, it.newest - older, order);
    return it.store(it.newest - older).value;
}

void MemoryModel::add(Object& to, std::uint64_t value, std::memory_order order, bool continues) noexcept {
    const Unseen unseen;
    const Clock before = continues ? to.store(to.newest).released : Clock{};
    Store& store = to.store(++to.newest);
    store = {value, fiber_, step_, before, {}};
    if (order == std::memory_order_seq_cst) to.sequential = to.newest;
    if (simulator::releases(order)) join(store.released, mine());
}

void MemoryModel::stores(std::uint32_t number, std::uint64_t before, std::uint64_t after, std::memory_order order) {
    if (number >= most_objects) return all_seen();
    const Unseen unseen;
    Object& it = object(number);
    // What it was made with, whoever made it: happens before everything.
    if (it.newest == 0) it.store(++it.newest) = {before};
    add(it, after, order, false);
}

void MemoryModel::modifies(std::uint32_t number, std::uint64_t before, std::uint64_t after, std::memory_order order) {
    if (number >= most_objects) return all_seen();
    const Unseen unseen;
    Object& it = object(number);
    if (it.newest == 0) it.store(++it.newest) = {before};
    sees(it, it.newest, order);
    // A release sequence goes on through it: what it saw is released to who acquires it.
    add(it, after, order, true);
}

}  // namespace acairo::simulator
