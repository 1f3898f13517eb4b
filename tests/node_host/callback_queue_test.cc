// SPDX-License-Identifier: Apache-2.0
#include "node_host/callback_queue.h"

#include <future>
#include <memory>
#include <stdexcept>

#include <gtest/gtest.h>

#include "test_cluster.h"

namespace drumbeat::node_host {
namespace {

// P-11.
TEST(CallbackQueueTest, ACallbackThatThrowsIsLoggedAndHoldsUpNobody) {
  const auto scheduler = MakeThreadScheduler();
  const auto sink = std::make_shared<QuietSink>();
  CallbackQueue queue(logging::Logger(sink, LogLevel::kInfo, "test"));
  queue.Start(*scheduler);
  queue.Run([] { throw std::runtime_error("no"); });
  queue.Run([] { throw 3; });
  std::promise<void> told;
  queue.Run([&] { told.set_value(); });
  told.get_future().wait();
  EXPECT_TRUE(sink->Has("the callback of a request threw: no"));
  EXPECT_TRUE(sink->Has("the callback of a request threw something"));
  queue.Stop();
  // Run where it is handed in.
  EXPECT_NO_THROW(queue.Run([] { throw std::runtime_error("late"); }));
  EXPECT_TRUE(sink->Has("the callback of a request threw: late"));
}

}  // namespace
}  // namespace drumbeat::node_host
