// SPDX-License-Identifier: Apache-2.0
#include "transport/resolver.h"

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace drumbeat::transport {
namespace {

struct Answer {
  int calls = 0;
  std::vector<Tcp::endpoint> endpoints;
  std::string error;
};

/// Runs `context` until `calls` answers have come.
void RunUntil(asio::io_context& context, const Answer& answer, int calls) {
  const auto work = asio::make_work_guard(context);
  context.restart();
  const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (answer.calls < calls && std::chrono::steady_clock::now() < limit) {
    context.run_one_for(std::chrono::milliseconds(100));
  }
}

Resolver::Done Into(Answer& answer) {
  return [&answer](std::vector<Tcp::endpoint> endpoints, std::string error) {
    ++answer.calls;
    answer.endpoints = std::move(endpoints);
    answer.error = std::move(error);
  };
}

TEST(ResolverTest, DigitsNeedNoLookup) {
  asio::io_context context;
  Resolver resolver(context);
  Answer answer;
  resolver.Resolve({.host = "127.0.0.1", .port = 7}, Into(answer));
  EXPECT_EQ(answer.calls, 0) << "later, not from within";
  context.poll();
  ASSERT_EQ(answer.calls, 1);
  EXPECT_EQ(answer.endpoints.at(0), Tcp::endpoint(asio::ip::address_v4::loopback(), 7));
  resolver.Resolve({.host = "::1", .port = 8}, Into(answer));
  context.restart();
  context.poll();
  EXPECT_EQ(answer.endpoints.at(0), Tcp::endpoint(asio::ip::address_v6::loopback(), 8));
}

TEST(ResolverTest, NamesAndUnknownNames) {
  asio::io_context context;
  Resolver resolver(context);
  Answer known;
  resolver.Resolve({.host = "localhost", .port = 7}, Into(known));
  RunUntil(context, known, 1);
  ASSERT_EQ(known.calls, 1);
  ASSERT_FALSE(known.endpoints.empty()) << known.error;
  EXPECT_EQ(known.endpoints.at(0).port(), 7);
  Answer unknown;
  resolver.Resolve({.host = "no-such-host.invalid", .port = 7}, Into(unknown));
  RunUntil(context, unknown, 1);
  ASSERT_EQ(unknown.calls, 1);
  EXPECT_TRUE(unknown.endpoints.empty());
  EXPECT_TRUE(unknown.error.starts_with("look up no-such-host.invalid: ")) << unknown.error;
}

TEST(ResolverTest, MoreNamesThanThreadsAreAllLookedUp) {
  asio::io_context context;
  Resolver resolver(context);
  Answer answer;
  for (int i = 0; i < 50; ++i) resolver.Resolve({.host = "localhost", .port = 7}, Into(answer));
  RunUntil(context, answer, 50);
  EXPECT_EQ(answer.calls, 50);
}

TEST(ResolverTest, ItsEndDoesNotWaitForLookups) {
  Answer answer;
  auto held = std::make_shared<int>(1);
  {
    asio::io_context context;
    Resolver resolver(context);
    for (int i = 0; i < 20; ++i) {
      resolver.Resolve(
          {.host = "no-such-host.invalid", .port = 7},
          [&answer, held](std::vector<Tcp::endpoint>, std::string) { ++answer.calls; });
    }
  }
  EXPECT_EQ(answer.calls, 0);
  EXPECT_EQ(held.use_count(), 1) << "what callbacks hold ends with the resolver";
}

}  // namespace
}  // namespace drumbeat::transport
