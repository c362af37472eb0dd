// A program of a test's own: the properties and the planted bugs that the test registers, and its command line.
//
// Threads: the one of the tests.
// Invariants:
//   1. While it lives it has no property of another test, and afterwards those are there again.
//   2. Its bugs are chosen by name, as a user does, and none is when the next test begins.
#pragma once
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <acairo/plants.hpp>
#include <acairo/property.hpp>
#include <acairo/token.hpp>
#include <acairo/tool.hpp>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <fstream>
#include <new>
#include <string>
#include <utility>
#include <vector>

namespace simulation {

struct Said {
    int status;
    std::string out;
    std::string error;
};

// The bug that is chosen; 0: none.
inline int planted = 0;

// Counts the runs of all children, which is what no run may depend on: for bodies that do.
inline std::atomic<int>& runs_of_all_processes() {
    static std::atomic<int>* const count =
        new (::mmap(nullptr, sizeof(std::atomic<int>), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0))
            std::atomic<int>(0);
    return *count;
}

class Program : public testing::Test {
protected:
    Program() {
        planted = 0;
        runs_of_all_processes() = 0;
    }
    ~Program() override {
        acairo::Property::first = others_;
        acairo::simulator::Plants::plants = {};
        acairo::simulator::Plants::chosen = nullptr;
    }

    static int status_of(std::vector<std::string> words) {
        words.insert(words.begin(), "program");
        std::vector<char*> arguments;
        for (std::string& word : words) arguments.push_back(word.data());
        return acairo::simulator::tool(static_cast<int>(arguments.size()), arguments.data());
    }
    static Said tool(std::vector<std::string> words) {
        testing::internal::CaptureStdout();
        testing::internal::CaptureStderr();
        const int status = status_of(std::move(words));
        std::string out = testing::internal::GetCapturedStdout();
        return {status, std::move(out), testing::internal::GetCapturedStderr()};
    }
    // In a process that ends with it, all that it says on stderr.
    [[noreturn]] static void end_with(std::vector<std::string> words) {
        ::dup2(STDERR_FILENO, STDOUT_FILENO);
        const int status = status_of(std::move(words));
        std::fflush(stdout);
        ::_exit(status);
    }

    static std::string token(const std::string& property, const acairo::simulator::Recording& recording,
                             const std::string& detector = "any") {
        return acairo::simulator::text_of(
            acairo::simulator::Token{property, acairo::simulator::schema(), detector, recording});
    }
    static std::string file_with(const std::string& name, const std::string& text) {
        std::string path = testing::TempDir() + name;
        std::ofstream(path) << text;
        return path;
    }

private:
    const acairo::Property* const others_ = std::exchange(acairo::Property::first, nullptr);
};

// From now on this process's call of this number fails with the error, where its argument of that place (from 0) is `value`. For
// a process that ends soon.
inline void refuse_call(long number, std::size_t place, std::uint32_t value, int error) {
    const auto argument = static_cast<std::uint32_t>(offsetof(::seccomp_data, args) + 8 * place);
    std::array<::sock_filter, 6> filter{
        ::sock_filter BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(::seccomp_data, nr)),
        ::sock_filter BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(number), 0, 3),
        ::sock_filter BPF_STMT(BPF_LD | BPF_W | BPF_ABS, argument),
        ::sock_filter BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1),
        ::sock_filter BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | static_cast<std::uint32_t>(error)),
        ::sock_filter BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    const ::sock_fprog program{static_cast<unsigned short>(filter.size()), filter.data()};
    EXPECT_EQ(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    EXPECT_EQ(::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
}

}  // namespace simulation
