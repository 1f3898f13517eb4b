// SPDX-License-Identifier: Apache-2.0
#include "transport/dialer.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "transport/certificates.h"

namespace drumbeat::transport {
namespace {

using std::chrono::seconds;

// Nothing else would end it: its link would never dial again.
TEST(DialerTest, WhatTlsHasNoMemoryForFails) {
  TestAuthority authority;
  TcpContext context(TcpOptions(), logging::Logger(nullptr, LogLevel::kInfo, "test"));
  auto tls = TlsContext::Load(authority.Issue());
  ASSERT_TRUE(tls) << tls.error().message;
  context.tls = std::move(*tls);
  // Without its context OpenSSL makes no session.
  const asio::ssl::context taken(std::move(context.tls->dialing()));
  asio::io_context kernel;
  Tcp::acceptor listener(kernel, Tcp::endpoint(asio::ip::address_v4::loopback(), 0));
  std::optional<std::string> failure;
  Dialer::Start(context, {.host = "127.0.0.1", .port = listener.local_endpoint().port()},
                [&](const std::shared_ptr<Connection>& connection, std::string reason) {
                  EXPECT_EQ(connection, nullptr);
                  failure = std::move(reason);
                });
  const auto limit = context.Now() + seconds(10);
  EXPECT_NO_THROW(while (!failure && context.io.run_one_until(limit) > 0) continue);
  ASSERT_TRUE(failure.has_value());
  EXPECT_TRUE(failure->ends_with(": out of memory")) << *failure;
}

}  // namespace
}  // namespace drumbeat::transport
