// The hand-written loop as a server: what all others are divided by.
#include <sys/eventfd.h>

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "raw_echo.hpp"
#include "server_process.hpp"

namespace {

// As the other servers have it, one for each connection.
class OwnBuffers {
public:
    std::span<char> of(int fd) {
        const auto index = static_cast<std::size_t>(fd);
        if (index >= buffers_.size()) buffers_.resize(index + 1);
        if (!buffers_[index]) buffers_[index].emplace();
        return buffers_[index]->bytes();
    }
    void closed(int fd) { buffers_[static_cast<std::size_t>(fd)].reset(); }

private:
    std::vector<std::optional<bench::ReceiveBuffer>> buffers_;
};

}  // namespace

int main(int argc, char** argv) {
    const bench::ServerArguments arguments = bench::begin_server(argc, argv);
    const int listen_fd = bench::listen_on_loopback();
    const int never = ::eventfd(0, EFD_CLOEXEC);
    bench::report_port(bench::port_of(listen_fd));
    if (arguments.one_buffer)
        bench::RawEcho<>(listen_fd, never).run();
    else
        bench::RawEcho<OwnBuffers>(listen_fd, never).run();
}
