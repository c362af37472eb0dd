// A symbolizer whose answers a test writes down, in a directory that is all of PATH; and addresses to ask it about.
//
// Threads: the one of the tests.
// Invariants:
//   1. The addresses are the program's, in the order in which they are asked about.
//   2. PATH is what it was when a Tools ends.
#pragma once
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace simulation {

inline char ground[64];
// A return address: the call is the byte before.
inline void* address(std::size_t number) { return ground + 1 + number; }

class Tools {
public:
    Tools() : path_(std::getenv("PATH")), directory_(testing::TempDir() + "tools-" + std::to_string(::getpid())) {
        std::filesystem::create_directory(directory_);
        ::setenv("PATH", directory_.c_str(), 1);
    }
    ~Tools() {
        ::setenv("PATH", path_.c_str(), 1);
        std::filesystem::remove_all(directory_);
    }
    Tools(const Tools&) = delete;
    Tools& operator=(const Tools&) = delete;

    // For each address that it is asked about: the address, then a line for each of that address's answers, for the shell to
    // expand. `before` is a command.
    void add(const std::string& name, const std::vector<std::vector<std::string>>& answers,
             const std::string& before = ":") const {
        const std::string file = directory_ + "/" + name;
        std::ofstream script(file);
        script << "#!/bin/sh\n"
               << before << "\nnumber=0\nwhile read -r offset; do\necho \"$offset\"\ncase $number in\n";
        for (std::size_t i = 0; i < answers.size(); ++i) {
            script << i << ") :\n";
            for (const std::string& answer : answers[i]) script << "printf '%s\\n' \"" << answer << "\"\n";
            script << ";;\n";
        }
        script << "esac\nnumber=$((number + 1))\ndone\n";
        script.close();
        ::chmod(file.c_str(), 0755);
    }

private:
    std::string path_;
    std::string directory_;
};

}  // namespace simulation
