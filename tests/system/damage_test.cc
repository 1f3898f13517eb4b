// SPDX-License-Identifier: Apache-2.0
//
// Damaged data folders: each start is refused, or shows all that was there. DRUMBEAT_DAMAGES=1000
// for more samples, DRUMBEAT_SEED to repeat a run.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "system/cluster.h"
#include "system/settings.h"
#include "system/system_test.h"

namespace drumbeat::system {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;

std::string ReadFile(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void WriteFile(const fs::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

// Without the zeros at the end, which logs have that were not closed: to damage those is no feat.
std::size_t WrittenBytes(const std::string& bytes) { return bytes.find_last_not_of('\0') + 1; }

class DamageTest : public SystemTest {
 protected:
  void SetUp() override {
    SystemTest::SetUp();
    if (IsSkipped()) return;
    cluster_.StartAndAwaitLeader();
    cluster_.SayMany(1, "message ", 20);
    // Ticks go by until it misses them. With one it writes that the last message is committed; else
    // it would not show it when it is alone.
    const std::size_t mark = cluster_.replica(1).err().Mark();
    cluster_.Kill(2);
    cluster_.Kill(3);
    ASSERT_TRUE(cluster_.replica(1).err().Await("has no leader in term ", kLongWait, mark));
    cluster_.Kill(1);
    fs::rename(cluster_.data(1), Pristine());
    Restore();
    whole_ = Read(kLongWait).updates;
    ASSERT_FALSE(whole_.empty());
    ASSERT_EQ(whole_.back().message, "message 20");
    Restore();
    for (const auto& entry : fs::recursive_directory_iterator(cluster_.data(1))) {
      if (entry.is_regular_file()) files_.push_back(fs::relative(entry.path(), cluster_.data(1)));
    }
    std::ranges::sort(files_);
  }

  struct Started {
    bool refused = false;
    int status = 0;
    std::vector<Update> updates;
    std::vector<std::string> err;
  };

  fs::path Pristine() const { return cluster_.directory() / "pristine"; }

  void Restore() {
    fs::remove_all(cluster_.data(1));
    fs::copy(Pristine(), cluster_.data(1), fs::copy_options::recursive);
    for (const auto& entry : fs::recursive_directory_iterator(cluster_.data(1))) {
      if (entry.is_directory()) fs::permissions(entry.path(), fs::perms::owner_all);
    }
    fs::permissions(cluster_.data(1), fs::perms::owner_all);
  }

  // Starts replica 1 alone until it ends, has shown all, or `limit` is over.
  Started Read(milliseconds limit) {
    Program program(cluster_.Options(1));
    const std::string last = whole_.empty() ? "msg: message 20," : LastLine();
    const auto deadline = Clock::now() + limit;
    while (Clock::now() < deadline && !program.AwaitEnd(milliseconds(0)) &&
           !program.out().Await(last, milliseconds(20))) {
    }
    Started started;
    // A log that shows all may be refused a moment later; what is shown counts, too.
    if (const auto ending = program.AwaitEnd(milliseconds(0))) {
      started.refused = true;
      started.status = ending->status;
      EXPECT_FALSE(ending->by_signal) << ending->status;
    }
    for (const Line& line : program.out().Lines()) {
      if (auto update = ParseUpdate(line.text)) started.updates.push_back(*update);
    }
    for (const Line& line : program.err().Lines()) started.err.push_back(line.text);
    return started;
  }

  std::string LastLine() const {
    return "msg: " + whole_.back().message + ", count:" + std::to_string(whole_.back().count);
  }

  // The program ended with one line that says all this; what was logged on the way there is no
  // error.
  static void ExpectOneLine(const Started& started, const std::vector<std::string>& parts) {
    EXPECT_EQ(started.status, 1);
    std::vector<std::string> errors = started.err;
    std::erase_if(errors, [](const std::string& line) {
      return line.find(" I | ") != std::string::npos || line.find(" W | ") != std::string::npos;
    });
    ASSERT_EQ(errors.size(), 1U) << testing::PrintToString(started.err);
    for (const std::string& part : parts) {
      EXPECT_NE(errors[0].find(part), std::string::npos) << part << " is not in: " << errors[0];
    }
    EXPECT_EQ(errors[0], started.err.back());
  }

  // The promise: refused with a line that says so, or nothing is missing.
  void ExpectHonest(const std::string& damage) {
    SCOPED_TRACE(damage);
    const Started started = Read(kLongWait);
    if (started.refused) {
      ++refused_;
      // What failed, where, and what to do.
      ExpectOneLine(started, {"failed ", "example-data/helloworld-data/node1", "; restore "});
    } else {
      EXPECT_EQ(started.updates.size(), whole_.size()) << testing::PrintToString(started.err);
      EXPECT_TRUE(std::ranges::equal(started.updates, whole_))
          << testing::PrintToString(started.err);
    }
    Restore();
  }

  Cluster cluster_;
  std::vector<Update> whole_;
  std::vector<fs::path> files_;
  int refused_ = 0;
};

TEST_F(DamageTest, EveryFileMayBeMissing) {
  for (const fs::path& file : files_) {
    fs::remove(cluster_.data(1) / file);
    ExpectHonest(file.string() + " deleted");
  }
  fs::remove_all(cluster_.data(1) / "db");
  ExpectHonest("db deleted");
  std::cout << refused_ << " of " << files_.size() << " refused\n";
  EXPECT_GT(refused_, 0);
}

TEST_F(DamageTest, EveryFileMayBeCut) {
  for (const fs::path& file : files_) {
    const fs::path path = cluster_.data(1) / file;
    const std::size_t size = WrittenBytes(ReadFile(path));
    if (size == 0) continue;
    fs::resize_file(path, size / 2);
    ExpectHonest(file.string() + " cut to a half");
    fs::resize_file(path, 0);
    ExpectHonest(file.string() + " emptied");
  }
  EXPECT_GT(refused_, 0);
}

TEST_F(DamageTest, AnyBitMayFlip) {
  const std::uint64_t seed = Setting("DRUMBEAT_SEED", std::random_device()());
  std::cout << "DRUMBEAT_SEED=" << seed << '\n';
  std::mt19937_64 random(seed);
  const std::uint64_t samples = Setting("DRUMBEAT_DAMAGES", 24);
  for (std::uint64_t i = 0; i < samples; ++i) {
    // Files take turns, so that a small one is not forgotten beside a large one.
    const fs::path& file = files_[i % files_.size()];
    std::string bytes = ReadFile(cluster_.data(1) / file);
    const std::size_t size = WrittenBytes(bytes);
    if (size == 0) continue;
    const std::size_t at = std::uniform_int_distribution<std::size_t>(0, size - 1)(random);
    const auto bit = static_cast<char>(1 << (random() % 8));
    bytes[at] = static_cast<char>(bytes[at] ^ bit);
    WriteFile(cluster_.data(1) / file, bytes);
    ExpectHonest("bit " + std::to_string(bit) + " flipped in byte " + std::to_string(at) + " of " +
                 file.string());
  }
  std::cout << refused_ << " refused\n";
}

TEST_F(DamageTest, TheDataOfAnotherReplicaIsNotOnesOwn) {
  fs::remove_all(cluster_.data(1) / "db");
  fs::copy(cluster_.data(2) / "db", cluster_.data(1) / "db", fs::copy_options::recursive);
  fs::permissions(cluster_.data(1) / "db", fs::perms::owner_all);
  const Started started = Read(kLongWait);
  ASSERT_TRUE(started.refused) << testing::PrintToString(started.err);
  ExpectOneLine(started, {"failed to add cluster, this folder holds replica 2 of shard 128"});
  EXPECT_TRUE(started.updates.empty());
}

}  // namespace
}  // namespace drumbeat::system
