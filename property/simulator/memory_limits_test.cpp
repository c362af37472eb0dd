// The memory model where its memory ends, and what an exchange with one order has seen when it fails. Litmus tests, as in
// memory_model_test.cpp.
#include "simulation.hpp"

namespace {

using namespace simulation;
using testing::UnorderedElementsAre;

// So that those which are made later are beyond what is remembered.
void make_as_many_objects_as_are_remembered() {
    for (std::uint32_t i = 0; i < sim::MemoryModel::most_objects; ++i) const Atomic<int> other{0};
}

// A weak exchange that fails, because its object has another value than it expects.
Outcomes seen_after_failing_with(std::memory_order order) {
    return outcomes_of([order](Notes& notes) {
        Atomic<int> data{0}, flag{0};
        Thread writer([&] {
            data.store(1, relaxed);
            flag.store(1, release);
        });
        int expected = 7;
        EXPECT_FALSE(flag.compare_exchange_weak(expected, 8, order));
        if (expected == 1) notes += digit(data.load(relaxed));
        writer.join();
    });
}

TEST(an_exchange_with_one_order, acquires_also_when_it_fails) {
    for (const auto order : {acquire, acq_rel, std::memory_order_seq_cst})
        EXPECT_THAT(seen_after_failing_with(order), UnorderedElementsAre("", "1")) << static_cast<int>(order);
}

// What has changed nothing has released nothing; and the standard knows no such order of a failure.
TEST(an_exchange_with_one_order, acquires_nothing_where_it_was_to_release) {
    for (const auto order : {relaxed, release})
        EXPECT_THAT(seen_after_failing_with(order), UnorderedElementsAre("", "0", "1")) << static_cast<int>(order);
}

TEST(an_exchange_with_one_order, changes_what_it_expects) {
    const Ran one = calm_run([] {
        for (const auto order : {relaxed, acquire, release, acq_rel, std::memory_order_seq_cst}) {
            Atomic<int> word{1};
            int expected = 1;
            EXPECT_TRUE(word.compare_exchange_weak(expected, 2, order));
            EXPECT_EQ(word.load(relaxed), 2);
        }
    });
    EXPECT_EQ(one.outcome.verdict, Verdict::passed) << one.outcome.text;
}

TEST(a_store, is_seen_behind_a_mutex_that_is_not_remembered) {
    EXPECT_THAT(outcomes_of([](Notes& notes) {
                    Atomic<int> x{0};
                    make_as_many_objects_as_are_remembered();
                    Mutex mutex;
                    bool left = false;
                    Thread writer([&] {
                        x.store(1, relaxed);
                        mutex.lock();
                        left = true;
                        mutex.unlock();
                    });
                    mutex.lock();
                    if (left) notes += digit(x.load(relaxed));
                    mutex.unlock();
                    writer.join();
                }),
                UnorderedElementsAre("", "1"));
}

// Whatever its order: without this, a release on it would be lost.
TEST(a_read_modify_write, of_what_is_not_remembered_has_released_all) {
    for (const auto order : {acq_rel, relaxed}) {
        EXPECT_THAT(outcomes_of([order](Notes& notes) {
                        Atomic<int> data{0};
                        make_as_many_objects_as_are_remembered();
                        Atomic<int> flag{0};
                        Thread writer([&] {
                            data.store(1, relaxed);
                            flag.fetch_add(1, order);
                        });
                        if (flag.load(acquire) == 1) notes += digit(data.load(relaxed));
                        writer.join();
                    }),
                    UnorderedElementsAre("", "1"))
            << static_cast<int>(order);
    }
}

// A mutex has no stores, and no load has anything to choose there.
TEST(MemoryModel, has_no_store_of_what_was_only_released) {
    sim::MemoryModel model;
    model.reset(true);
    model.is_at(0, 1);
    model.releases(3);
    model.acquires(3);
    EXPECT_EQ(model.older_stores(3, relaxed), 0u);
    EXPECT_EQ(model.loads(3, 42, 0, relaxed), 42u);
    model.stores(3, 42, 43, relaxed);
    EXPECT_EQ(model.loads(3, 43, 0, relaxed), 43u);
    model.is_at(1, 2);
    EXPECT_EQ(model.older_stores(3, relaxed), 1u) << "what it was made with";
    EXPECT_EQ(model.loads(3, 43, 1, relaxed), 42u);
}

TEST(MemoryModel, of_another_run_is_forgotten) {
    sim::MemoryModel model;
    model.reset(true);
    model.is_at(0, 1);
    model.stores(3, 1, 2, relaxed);
    model.reset(true);
    model.is_at(1, 1);
    EXPECT_EQ(model.older_stores(3, relaxed), 0u);
    EXPECT_EQ(model.loads(3, 7, 0, relaxed), 7u);
}

}  // namespace
