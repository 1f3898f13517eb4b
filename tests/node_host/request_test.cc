// SPDX-License-Identifier: Apache-2.0
#include "drumbeat/request.h"

#include <chrono>
#include <coroutine>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <fstream>
#include <future>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>

#include <gtest/gtest.h>
#include <signal.h>

#include "node_host/test_cluster.h"

namespace drumbeat::node_host {
namespace {

using std::chrono::milliseconds;

constexpr ShardId kShard = TestCluster::kShard;
constexpr milliseconds kTimeout{10000};

/// A coroutine that nobody waits for.
struct Detached {
  struct promise_type {
    Detached get_return_object() { return {}; }
    std::suspend_never initial_suspend() noexcept { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() {}
    void unhandled_exception() { std::terminate(); }
  };
};

struct Resumed {
  Result<int> result;
  std::thread::id thread;
};

Detached Await(Request<int> request, std::promise<Resumed>& resumed) {
  Result<int> result = co_await std::move(request);
  resumed.set_value({std::move(result), std::this_thread::get_id()});
}

/// Runs callbacks when it is told to.
class LaterExecutor : public internal::CallbackExecutor {
 public:
  void Run(std::move_only_function<void()> callback) override { held_ = std::move(callback); }
  bool holds() const { return static_cast<bool>(held_); }
  void RunHeld() { std::exchange(held_, nullptr)(); }

 private:
  std::move_only_function<void()> held_;
};

TEST(RequestTest, AwaitingWhatHasCompletedGoesOnAtOnce) {
  std::promise<Resumed> resumed;
  Await(Request<int>::Completed(7), resumed);
  const Resumed here = resumed.get_future().get();
  EXPECT_EQ(here.result, 7);
  EXPECT_EQ(here.thread, std::this_thread::get_id());
}

TEST(RequestTest, AwaitingGoesOnWhereCallbacksRun) {
  const auto executor = std::make_shared<LaterExecutor>();
  internal::Completion<int> completion(executor);
  std::promise<Resumed> resumed;
  auto told = resumed.get_future();
  Await(completion.request(), resumed);
  EXPECT_FALSE(executor->holds());
  completion.Complete(8);
  ASSERT_TRUE(executor->holds());
  EXPECT_EQ(told.wait_for(milliseconds(0)), std::future_status::timeout);
  executor->RunHeld();
  EXPECT_EQ(told.get().result, 8);
}

TEST(RequestTest, ACompletionThatIsDroppedResumesWithAnError) {
  const auto executor = std::make_shared<LaterExecutor>();
  std::promise<Resumed> resumed;
  {
    internal::Completion<int> completion(executor);
    Await(completion.request(), resumed);
  }
  executor->RunHeld();
  EXPECT_EQ(resumed.get_future().get().result.error().code, ErrorCode::kTerminated);
}

TEST(RequestTest, AnyLimitWillDo) {
  for (int round = 0; round < 50; ++round) {
    internal::Completion<int> completion(std::make_shared<LaterExecutor>());
    Request<int> request = completion.request();
    for (const milliseconds none : {milliseconds(0), milliseconds(-1), milliseconds::min()}) {
      EXPECT_FALSE(request.GetWithin(none).has_value());
    }
    std::thread completer([&] { completion.Complete(9); });
    const std::optional<Result<int>> result = request.GetWithin(milliseconds::max());
    completer.join();
    ASSERT_TRUE(result.has_value());
    EXPECT_EQ(*result, 9);
  }
}

struct Outcome {
  Result<ApplyResult> result;
  std::thread::id thread;
};

Detached ProposeTwice(NodeHost& host, std::promise<Outcome>& done) {
  Result<ApplyResult> first = co_await host.Propose(kShard, Session::NoOp(kShard), "a", kTimeout);
  if (!first) {
    done.set_value({std::move(first), {}});
    co_return;
  }
  Result<ApplyResult> second = co_await host.Propose(kShard, Session::NoOp(kShard), "b", kTimeout);
  done.set_value({std::move(second), std::this_thread::get_id()});
}

TEST(RequestTest, ACoroutineProposesOneAfterTheOther) {
  TestCluster cluster(1);
  cluster.Serve(1, "x");
  std::promise<Outcome> done;
  ProposeTwice(cluster.At(1), done);
  const Outcome outcome = done.get_future().get();
  ASSERT_TRUE(outcome.result.has_value()) << outcome.result.error().text();
  EXPECT_NE(outcome.thread, std::this_thread::get_id());
  EXPECT_EQ(cluster.Text(1), "xab");
}

TEST(RequestTest, ACoroutineIsResumedWhenItsHostCloses) {
  TestCluster cluster(3);
  cluster.Serve(3, "x");
  cluster.Stop(2);
  cluster.Stop(3);
  std::promise<Outcome> done;
  ProposeTwice(cluster.At(1), done);
  cluster.At(1).Close(milliseconds(0));
  EXPECT_FALSE(done.get_future().get().result.has_value());
}

std::set<std::string> Threads() {
  std::set<std::string> threads;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    threads.insert(task.path().filename());
  }
  return threads;
}

/// The signals that a thread blocks, a bit each; nothing when it has ended.
std::optional<std::uint64_t> BlockedBy(const std::string& thread) {
  std::ifstream status("/proc/self/task/" + thread + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("SigBlk:")) return std::stoull(line.substr(7), nullptr, 16);
  }
  return std::nullopt;
}

// Signals belong to the program: who handles SIGINT in its own thread must get it there.
TEST(HostThreadsTest, NoneOfThemTakesSignals) {
  const std::set<std::string> before = Threads();
  TestCluster cluster(1);
  cluster.Serve(1, "x");
  int seen = 0;
  for (const std::string& thread : Threads()) {
    const auto blocked = BlockedBy(thread);
    if (before.contains(thread) || !blocked) continue;
    ++seen;
    for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGCHLD}) {
      EXPECT_TRUE(*blocked >> (signal - 1) & 1) << "thread " << thread << ", signal " << signal;
    }
  }
  EXPECT_GT(seen, 3);
}

}  // namespace
}  // namespace drumbeat::node_host
