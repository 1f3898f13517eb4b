// SPDX-License-Identifier: Apache-2.0
#pragma once

// All of Asio comes through this file.

// ThreadSanitizer knows no fences. Asio's are a second lock on a door: what they order, the mutexes
// of its scheduler order too.
#if defined(__SANITIZE_THREAD__)
#define BOOST_ASIO_DISABLE_FENCED_BLOCK
#endif

// Boost 1.74 uses std::exchange without including its header.
#include <utility>

#include <boost/asio/buffer.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/steady_timer.hpp>

namespace drumbeat::transport {

namespace asio = boost::asio;
using Tcp = asio::ip::tcp;
using AsioError = boost::system::error_code;

}  // namespace drumbeat::transport
