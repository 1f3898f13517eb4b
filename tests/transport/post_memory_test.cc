// SPDX-License-Identifier: Apache-2.0
#include "transport/post_memory.h"

#include <array>
#include <memory>

#include <gtest/gtest.h>

namespace drumbeat::transport {
namespace {

struct Owner {
  PostMemory memory;
};

TEST(PostMemoryTest, TheLargestHandlerFitsAndItsMemoryIsFreeWhenItRuns) {
  asio::io_context io;
  const auto owner = std::make_shared<Owner>();
  int runs = 0;
  for (int i = 0; i < 3; ++i) {
    std::array<char, 96> large{};
    owner->memory.Post(io, [large, owner, &runs] {
      EXPECT_FALSE(owner->memory.in_use());
      runs += large[0] == '\0' ? 1 : 0;
    });
    EXPECT_TRUE(owner->memory.in_use());
    io.restart();
    io.run();
    EXPECT_EQ(runs, i + 1);
  }
}

TEST(PostMemoryTest, WhatIsPostedKeepsItsMemoryAlive) {
  std::weak_ptr<Owner> watched;
  {
    asio::io_context io;
    auto owner = std::make_shared<Owner>();
    watched = owner;
    PostMemory& memory = owner->memory;
    memory.Post(io, [owner = std::move(owner)] { EXPECT_NE(owner, nullptr); });
    EXPECT_FALSE(watched.expired());
  }
  EXPECT_TRUE(watched.expired()) << "let go with the io_context, unrun";
}

}  // namespace
}  // namespace drumbeat::transport
