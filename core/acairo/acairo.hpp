// acairo: TCP for C++20 coroutines, over Linux epoll. This header is the whole public interface.
#pragma once
#include <acairo/tcp.hpp>
