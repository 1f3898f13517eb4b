// SPDX-License-Identifier: Apache-2.0
#include "base/bytes.h"

#include <cstring>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace drumbeat::base {
namespace {

TEST(BytesTest, ACopyIsOfItsOwn) {
  std::string text = "some text";
  const Bytes bytes = Bytes::Copy(text);
  text.assign("other one");
  EXPECT_EQ(bytes.view(), "some text");
  EXPECT_EQ(bytes.retained_bytes(), 9u);
}

TEST(BytesTest, NothingNeedsNoBuffer) {
  EXPECT_EQ(Bytes::Copy("").buffer(), nullptr);
  EXPECT_TRUE(Bytes().empty());
  EXPECT_EQ(Bytes(), Bytes::Copy(""));
}

TEST(BytesTest, StaticBytesHaveNoBuffer) {
  const Bytes bytes = Bytes::Static("literal");
  EXPECT_EQ(bytes.view(), "literal");
  EXPECT_EQ(bytes.buffer(), nullptr);
  EXPECT_EQ(bytes.retained_bytes(), 0u);
  EXPECT_EQ(bytes.Slice(3, 2).view(), "er");
}

TEST(BytesTest, ASliceKeepsTheBufferAlive) {
  Bytes part;
  {
    const Bytes whole = Bytes::Copy("0123456789");
    part = whole.Slice(2, 3);
    EXPECT_EQ(part.data(), whole.data() + 2);
  }
  EXPECT_EQ(part.view(), "234");
  EXPECT_EQ(part.retained_bytes(), 10u);
  EXPECT_EQ(part.Slice(1, 100).view(), "34");
}

TEST(BytesTest, SharingTakesAReferenceOfItsOwn) {
  Buffer* buffer = Buffer::New(4);
  std::memcpy(buffer->data(), "abcd", 4);
  const Bytes part = Bytes::Share(buffer, {buffer->data() + 1, 2});
  buffer->Unref();
  EXPECT_EQ(part.view(), "bc");
}

TEST(BytesTest, MovingLeavesNothingBehind) {
  Bytes from = Bytes::Copy("text");
  const Bytes to = std::move(from);
  EXPECT_EQ(to.view(), "text");
  EXPECT_TRUE(from.empty());  // NOLINT(bugprone-use-after-move): that is the contract
  EXPECT_EQ(from.buffer(), nullptr);
}

TEST(BytesTest, AssigningItselfChangesNothing) {
  Bytes bytes = Bytes::Copy("text");
  const Bytes& same = bytes;
  bytes = same;
  EXPECT_EQ(bytes.view(), "text");
}

TEST(BytesTest, EqualityIsThatOfTheText) {
  EXPECT_EQ(Bytes::Copy("text"), Bytes::Static("text"));
  EXPECT_NE(Bytes::Copy("text"), Bytes::Copy("next"));
}

// The sanitizers' builds say whether the last of several threads frees it, and only once.
TEST(BytesTest, ThreadsMayShareABuffer) {
  std::vector<std::thread> threads;
  {
    const Bytes bytes = Bytes::Copy(std::string(1000, 'x'));
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([bytes] {
        for (std::size_t k = 0; k < 1000; ++k) {
          const Bytes part = bytes.Slice(k, 1);
          EXPECT_EQ(part.view(), "x");
        }
      });
    }
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace drumbeat::base
