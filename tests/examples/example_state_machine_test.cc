// SPDX-License-Identifier: Apache-2.0
#include "example_state_machine.h"

#include <algorithm>
#include <any>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

namespace helloworld {
namespace {

using drumbeat::ErrorCode;
using drumbeat::Index;
using drumbeat::Result;

class StringWriter final : public drumbeat::SnapshotWriter {
 public:
  Result<void> Write(std::string_view bytes) override {
    written += bytes;
    return {};
  }
  std::string written;
};

// Hands out a string, at most `step` bytes at a time.
class StringReader final : public drumbeat::SnapshotReader {
 public:
  explicit StringReader(std::string_view bytes, std::size_t step = 100)
      : rest_(bytes), step_(step) {}
  Result<std::size_t> Read(std::span<char> buffer) override {
    const std::size_t size = std::min({buffer.size(), step_, rest_.size()});
    std::copy_n(rest_.begin(), size, buffer.begin());
    rest_.remove_prefix(size);
    return size;
  }

 private:
  std::string_view rest_;
  std::size_t step_;
};

class BrokenReader final : public drumbeat::SnapshotReader {
 public:
  Result<std::size_t> Read(std::span<char>) override {
    return drumbeat::Fail(ErrorCode::kStorage, "no disk");
  }
};

class ExampleStateMachineTest : public testing::Test {
 protected:
  std::uint64_t Count() { return std::any_cast<std::uint64_t>(*machine_.Lookup(std::any())); }
  std::uint64_t Update(std::uint64_t index, std::string_view command) {
    return machine_.Update({.index = Index(index), .command = command})->value;
  }
  Result<void> Recover(std::string_view bytes, std::size_t step = 100) {
    StringReader reader(bytes, step);
    return machine_.RecoverFromSnapshot(reader, {});
  }

  std::vector<std::string> lines_;
  ExampleStateMachine machine_{drumbeat::ShardId(128), drumbeat::ReplicaId(2),
                               [this](std::string line) { lines_.push_back(std::move(line)); }};
};

TEST_F(ExampleStateMachineTest, CountsAndPrintsMessages) {
  EXPECT_EQ(Count(), 0U);
  EXPECT_EQ(Update(5, "hi there"), 8U);
  EXPECT_EQ(Update(9, ""), 0U);
  EXPECT_EQ(Count(), 2U);
  EXPECT_EQ(lines_, (std::vector<std::string>{"from Update() : msg: hi there, count:1",
                                              "from Update() : msg: , count:2"}));
}

TEST_F(ExampleStateMachineTest, PrintsTheBytesAsTheyAre) {
  Update(5, std::string_view("\0\xff\x1b\r", 4));
  EXPECT_EQ(lines_[0], std::string("from Update() : msg: \0\xff\x1b\r, count:1", 34));
}

TEST_F(ExampleStateMachineTest, ASnapshotIsTheCountInEightBytesLittleEndian) {
  ASSERT_TRUE(Recover(std::string("\xff\x01\0\0\0\0\0\0", 8)));
  EXPECT_EQ(Count(), 0x1ffU);
  Update(7, "x");
  StringWriter writer;
  ASSERT_TRUE(machine_.SaveSnapshot(writer, {}));
  EXPECT_EQ(writer.written, std::string("\0\x02\0\0\0\0\0\0", 8));
}

TEST_F(ExampleStateMachineTest, ASnapshotReplacesTheStateAndPrintsNothing) {
  Update(5, "x");
  lines_.clear();
  ASSERT_TRUE(Recover(std::string("\x2a\0\0\0\0\0\0\x80", 8), 1));
  EXPECT_EQ(Count(), 0x8000'0000'0000'002aU);
  EXPECT_TRUE(lines_.empty());
}

TEST_F(ExampleStateMachineTest, ASnapshotOfAnotherSizeIsDamaged) {
  for (const std::size_t size : {0U, 7U, 9U, 100U}) {
    const Result<void> recovered = Recover(std::string(size, '\1'), 3);
    ASSERT_FALSE(recovered) << size;
    EXPECT_EQ(recovered.error().code, ErrorCode::kDamaged);
  }
  EXPECT_EQ(Count(), 0U);
}

TEST_F(ExampleStateMachineTest, AnErrorOfTheReaderIsPassedOn) {
  BrokenReader reader;
  const Result<void> recovered = machine_.RecoverFromSnapshot(reader, {});
  ASSERT_FALSE(recovered);
  EXPECT_EQ(recovered.error().message, "no disk");
}

}  // namespace
}  // namespace helloworld
