// A user's program: compiles against the installed headers and links the installed library.
#include <acairo/acairo.hpp>
#include <memory>

namespace {

acairo::Task<int> answer() { co_return 42; }

}  // namespace

int main() {
    const auto executor = std::make_shared<acairo::Executor>();
    return executor->sync_wait(answer) == 42 ? 0 : 1;
}
