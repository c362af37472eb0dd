// One fault, at each place where there can be one: the k-th system call fails with each error that it may have, the k-th
// allocation fails, alone or with all that follow. A server that could be made stays; clients get a prefix of their echo; when
// the fault is over the next client is served; nothing leaks, hangs or ends the process.
//
// It would have caught: a descriptor that is lost when what follows its making fails; an accept loop that ends; an entry that
// stays when epoll refuses it; a thrown std::bad_alloc in what may not throw.
// Covers: 2.15 accepting stops after one error; 2.17 EMFILE from accept; 2.23 a descriptor leaks on an error path
// Covers: 2.25 an entry leaks when epoll_ctl fails; 2.31 a descriptor that epoll_ctl refuses; 10.10 an accepted descriptor leaks
// Covers: 10.40 epoll_create1 fails and threads wait for ever; 10.41 epoll_wait fails on its thread; 7.125 who owns the accepted descriptor
#include "support.hpp"

namespace property {
namespace {

void one_fault_is_survived_by_a_server(Trial& trial) {
    std::optional<Server> server;
    try {
        server.emplace(1);
    } catch (const std::system_error&) {
    } catch (const std::bad_alloc&) {}
    if (!server) return;
    Peer one(server->address);
    Peer other(server->address);
    const bool one_sent = one.connected() && one.send("1") == 1;
    const bool other_sent = other.connected() && other.send("2") == 1;
    trial.clear_up();
    // While memory is short nobody is accepted: they are served now, or were ended.
    if (one_sent) {
        const char answer = one.receive_byte();
        trial.require(answer == '1' || answer == '\0', "an echo is what was sent");
        trial.sometimes(answer == '\0', "a connection that the fault ends");
    }
    if (other_sent) {
        const char answer = other.receive_byte();
        trial.require(answer == '2' || answer == '\0', "an echo is what was sent");
    }
    one.close();
    other.close();
    Peer last(server->address);
    trial.require(last.connected(), "a listening server is connected to");
    trial.require(last.send("3") == 1, "a server that is there takes a byte");
    trial.require(last.receive_byte() == '3', "and answers");
    last.close();
    server->listener->stop();
    trial.require(server->executor->drain(std::chrono::seconds(100)), "a server without clients drains");
}

const acairo::Property registered{
    "one_fault_is_survived_by_a_server",
    one_fault_is_survived_by_a_server,
    {.interruptions = false, .shortages = false, .network = false, .allocations = false, .one_fault = true},
    {"a connection that the fault ends"}};

}  // namespace
}  // namespace property
