// SPDX-License-Identifier: Apache-2.0
#include "raft/entry_window.h"

#include <deque>

#include <gtest/gtest.h>

#include "base/random.h"

namespace drumbeat::raft {
namespace {

Entry At(std::uint64_t index) {
  Entry entry;
  entry.index = Index{index};
  entry.command = base::Bytes::Copy(std::to_string(index));
  return entry;
}

// Against the standard library's queue.
TEST(EntryWindowTest, BehavesAsADoubleEndedQueue) {
  base::Random random(1);
  EntryWindow window;
  std::deque<Entry> model;
  for (std::uint64_t step = 1; step <= 20000; ++step) {
    // The tide turns now and then, so that it grows far and empties.
    const bool rising = (step / 500) % 2 == 0;
    if (random.Below(4) < (rising ? 3u : 1u)) {
      window.PushBack(At(step));
      model.push_back(At(step));
    } else if (!model.empty() && random.OneIn(2)) {
      window.PopFront();
      model.pop_front();
    } else if (!model.empty()) {
      window.PopBack();
      model.pop_back();
    }
    ASSERT_EQ(window.size(), model.size());
    ASSERT_EQ(window.empty(), model.empty());
    if (model.empty()) continue;
    ASSERT_EQ(window.back(), model.back());
    const std::size_t somewhere = random.Below(model.size());
    ASSERT_EQ(window[somewhere], model[somewhere]);
  }
  window.Clear();
  EXPECT_TRUE(window.empty());
}

TEST(EntryWindowTest, LetsGoOfTheBytesOfWhatIsTakenOut) {
  EntryWindow window;
  base::Buffer* buffer = base::Buffer::New(1);
  base::Bytes bytes = base::Bytes::Adopt(buffer);
  Entry entry;
  entry.command = bytes;
  window.PushBack(entry);
  entry = {};
  window.PopFront();
  // Under the address sanitizer, a reference that was kept would be a leak; one too few, a crash.
  EXPECT_EQ(bytes.size(), 1u);
}

}  // namespace
}  // namespace drumbeat::raft
