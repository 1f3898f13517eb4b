// SPDX-License-Identifier: Apache-2.0
#include "transport/resolver.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <set>
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

using std::chrono::hours;
using std::chrono::milliseconds;

/// Answers as a test wants, or hangs.
class FakeNames {
 public:
  ~FakeNames() { Release(); }

  Resolver::Function function() {
    return [state = state_](const HostPort& target, std::string& error) {
      return state->LookUp(target.host, error);
    };
  }
  /// From now on `name` hangs until Release().
  void Hang(const std::string& name) {
    const std::lock_guard lock(state_->mutex);
    state_->hanging.insert(name);
  }
  void Release() {
    const std::lock_guard lock(state_->mutex);
    state_->hanging.clear();
    state_->changed.notify_all();
  }
  /// From now on looking up `name` fails.
  void Break(const std::string& name) {
    const std::lock_guard lock(state_->mutex);
    state_->broken.insert(name);
  }
  /// From now on the last digit of every address.
  void Move(std::uint32_t digit) {
    const std::lock_guard lock(state_->mutex);
    state_->digit = digit;
  }
  int calls(const std::string& name) {
    const std::lock_guard lock(state_->mutex);
    return state_->calls[name];
  }
  int most_at_once() {
    const std::lock_guard lock(state_->mutex);
    return state_->most_at_once;
  }

 private:
  struct State {
    std::vector<Tcp::endpoint> LookUp(const std::string& name, std::string& error) {
      std::unique_lock lock(mutex);
      ++calls[name];
      most_at_once = std::max(most_at_once, ++running);
      changed.wait(lock, [&] { return !hanging.contains(name); });
      --running;
      if (name == "throws") throw std::bad_alloc();
      if (!broken.contains(name)) return {Tcp::endpoint(asio::ip::address_v4(digit), 0)};
      error = "look up " + name + ": broken";
      return {};
    }

    std::mutex mutex;
    std::condition_variable changed;
    std::set<std::string> hanging;
    std::set<std::string> broken;
    std::map<std::string, int> calls;
    std::uint32_t digit = 1;
    int running = 0;
    int most_at_once = 0;
  };
  // Threads that hang outlive the test's resolver.
  const std::shared_ptr<State> state_ = std::make_shared<State>();
};

/// A resolver over FakeNames, with little patience.
class ResolverNamesTest : public testing::Test {
 protected:
  void Make(const Resolver::Limits& limits) {
    resolver_ = std::make_unique<Resolver>(context_, names_.function(), limits);
  }
  void SetUp() override { Make({.patience = milliseconds(20), .give_up = hours(1)}); }

  void Resolve(const std::string& name, Answer& answer) {
    resolver_->Resolve({.host = name, .port = 7}, Into(answer));
  }
  Answer Get(const std::string& name) {
    Answer answer;
    Resolve(name, answer);
    RunUntil(context_, answer, 1);
    EXPECT_EQ(answer.calls, 1) << name;
    return answer;
  }
  /// Runs until `done` or for too long.
  bool RunUntilTrue(const std::function<bool()>& done) {
    context_.restart();
    const auto work = asio::make_work_guard(context_);
    const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (std::chrono::steady_clock::now() < limit) {
      if (done()) return true;
      context_.run_one_for(milliseconds(10));
    }
    return false;
  }
  static Tcp::endpoint At(std::uint32_t digit) { return {asio::ip::address_v4(digit), 7}; }

  FakeNames names_;
  asio::io_context context_;
  std::unique_ptr<Resolver> resolver_;
};

TEST_F(ResolverNamesTest, MoreNamesThanThreadsAreAllLookedUp) {
  Answer answer;
  for (int i = 0; i < 200; ++i) Resolve("name" + std::to_string(i), answer);
  RunUntil(context_, answer, 200);
  EXPECT_EQ(answer.calls, 200);
  EXPECT_EQ(answer.error, "");
}

TEST_F(ResolverNamesTest, OneLookUpAnswersAllWhoAskMeanwhile) {
  names_.Hang("slow");
  Answer answer;
  for (int i = 0; i < 50; ++i) Resolve("slow", answer);
  EXPECT_TRUE(RunUntilTrue([&] { return names_.calls("slow") == 1; }));
  names_.Release();
  RunUntil(context_, answer, 50);
  EXPECT_EQ(answer.calls, 50);
  EXPECT_EQ(answer.endpoints, std::vector{At(1)});
  EXPECT_EQ(names_.calls("slow"), 1);
  // The next one who asks learns of a move, if at once of the old address.
  names_.Move(2);
  EXPECT_TRUE(RunUntilTrue([&] { return Get("slow").endpoints == std::vector{At(2)}; }));
}

// N-12.
TEST_F(ResolverNamesTest, NamesThatHangStandInNobodysWayWhoAnswered) {
  Make({.patience = std::chrono::seconds(30), .give_up = hours(1), .threads = 4});
  EXPECT_EQ(Get("good").endpoints, std::vector{At(1)});
  Answer never;
  for (int i = 0; i < 100; ++i) {
    names_.Hang("hangs" + std::to_string(i));
    Resolve("hangs" + std::to_string(i), never);
  }
  names_.Move(2);
  EXPECT_EQ(Get("good").endpoints, std::vector{At(2)}) << "a new answer, not the one that is kept";
  EXPECT_EQ(never.calls, 0);
}

TEST_F(ResolverNamesTest, ThreadsThatHangAreBoundedAndTheirNamesAreGivenUp) {
  constexpr int kNames = 100;
  Make({.patience = milliseconds(5), .give_up = milliseconds(50), .threads = 4});
  for (int round = 1; round <= 3; ++round) {
    Answer answer;
    for (int i = 0; i < kNames; ++i) {
      names_.Hang("hangs" + std::to_string(i));
      Resolve("hangs" + std::to_string(i), answer);
    }
    RunUntil(context_, answer, kNames);
    EXPECT_EQ(answer.calls, kNames);
    EXPECT_TRUE(answer.endpoints.empty());
    EXPECT_TRUE(answer.error.starts_with("look up hangs")) << answer.error;
  }
  EXPECT_LE(names_.most_at_once(), 4);
}

TEST_F(ResolverNamesTest, WhatNobodyWaitsForAnyMoreIsNotLookedUp) {
  Make({.patience = milliseconds(5), .give_up = milliseconds(20), .threads = 1});
  names_.Hang("hangs");
  EXPECT_EQ(Get("hangs").error, "look up hangs: no answer");
  EXPECT_EQ(Get("stale").error, "look up stale: no answer");
  names_.Release();
  EXPECT_TRUE(RunUntilTrue([&] { return !Get("new").endpoints.empty(); }));
  EXPECT_EQ(names_.calls("stale"), 0);
  EXPECT_EQ(names_.calls("hangs"), 1);
}

TEST_F(ResolverNamesTest, AnEarlierAnswerStandsInForOneThatIsSlow) {
  EXPECT_EQ(Get("name").endpoints, std::vector{At(1)});
  names_.Hang("name");
  for (int i = 0; i < 3; ++i) {
    const Answer answer = Get("name");
    EXPECT_EQ(answer.endpoints, std::vector{At(1)});
    EXPECT_EQ(answer.error, "look up name: no answer yet");
  }
  EXPECT_TRUE(RunUntilTrue([&] { return names_.calls("name") == 2; }));
  // What comes at last counts.
  names_.Move(2);
  names_.Release();
  EXPECT_TRUE(RunUntilTrue([&] { return Get("name").endpoints == std::vector{At(2)}; }));
}

TEST_F(ResolverNamesTest, AnEarlierAnswerStandsInForAFailure) {
  Make({.patience = std::chrono::seconds(30), .give_up = hours(1)});
  EXPECT_EQ(Get("name").endpoints, std::vector{At(1)});
  names_.Break("name");
  const Answer answer = Get("name");
  EXPECT_EQ(answer.endpoints, std::vector{At(1)});
  EXPECT_EQ(answer.error, "look up name: broken");
}

TEST_F(ResolverNamesTest, AnAnswerIsNotKeptForEver) {
  Make({.patience = std::chrono::seconds(30), .give_up = hours(1), .keep = Duration(0)});
  EXPECT_EQ(Get("name").endpoints, std::vector{At(1)});
  names_.Break("name");
  EXPECT_TRUE(Get("name").endpoints.empty());
}

TEST_F(ResolverNamesTest, OfManyAnswersTheNewestAreKept) {
  Make({.patience = std::chrono::seconds(30), .give_up = hours(1), .kept_names = 2});
  for (const std::string name : {"a", "b", "c", "b", "a"}) {
    EXPECT_FALSE(Get(name).endpoints.empty());
  }
  for (const std::string name : {"a", "b", "c"}) {
    names_.Break(name);
    EXPECT_EQ(Get(name).endpoints.empty(), name == "c") << name;
  }
}

TEST_F(ResolverNamesTest, ALookUpThatThrowsFails) {
  EXPECT_EQ(Get("throws").error, "out of memory");
  EXPECT_EQ(Get("throws").error, "out of memory");
}

// Neither those that run nor those that wait for a thread.
TEST(ResolverTest, ItsEndDoesNotWaitForLookUpsThatHang) {
  Answer answer;
  auto held = std::make_shared<int>(1);
  FakeNames names;
  {
    asio::io_context context;
    Resolver resolver(context, names.function(), {.threads = 2});
    for (int i = 0; i < 20; ++i) {
      names.Hang("hangs" + std::to_string(i));
      resolver.Resolve(
          {.host = "hangs" + std::to_string(i), .port = 7},
          [&answer, held](std::vector<Tcp::endpoint>, std::string) { ++answer.calls; });
    }
  }
  EXPECT_EQ(answer.calls, 0);
  EXPECT_EQ(held.use_count(), 1) << "what callbacks hold ends with the resolver";
}

}  // namespace
}  // namespace drumbeat::transport
