// SPDX-License-Identifier: Apache-2.0
#include "node_host/event_queue.h"

#include <atomic>
#include <future>
#include <memory>
#include <stdexcept>

#include <gtest/gtest.h>

#include "test_cluster.h"

namespace drumbeat::node_host {
namespace {

/// Throws at every second event; waits at the first until the test lets it go.
class BadListener : public EventListener {
 public:
  void ReplicaReady(const ReplicaRef&) override {
    if (++heard == 1) released.get_future().wait();
    if (heard % 2 == 0) throw std::runtime_error("no");
    if (heard % 3 == 0) throw 3;
  }
  std::atomic<int> heard{0};
  std::promise<void> released;
};

// P-11.
TEST(EventQueueTest, AListenerThatThrowsOrBlocksHoldsUpNobody) {
  const auto scheduler = MakeThreadScheduler();
  const auto listener = std::make_shared<BadListener>();
  const auto sink = std::make_shared<QuietSink>();
  {
    EventQueue queue(*scheduler, listener, logging::Logger(sink, LogLevel::kInfo, "test"));
    const auto post = [&] { queue.Post([](EventListener& to) { to.ReplicaReady({}); }); };
    post();
    ASSERT_TRUE(Eventually([&] { return listener->heard == 1; }));
    // It blocks; posting goes on, and what is kept for it is bounded.
    for (int i = 0; i < 20'000; ++i) post();
    EXPECT_EQ(listener->heard, 1);
    listener->released.set_value();
    ASSERT_TRUE(Eventually([&] { return listener->heard == 10'001; }));
    post();
    ASSERT_TRUE(Eventually([&] { return listener->heard == 10'002; }));
  }
  EXPECT_TRUE(sink->Has("events lost: 10000"));
  EXPECT_TRUE(sink->Has("the event listener threw: no"));
}

}  // namespace
}  // namespace drumbeat::node_host
