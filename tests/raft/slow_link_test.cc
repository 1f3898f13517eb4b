// SPDX-License-Identifier: Apache-2.0
#include <cstdint>
#include <deque>
#include <map>
#include <utility>

#include <gtest/gtest.h>

#include "raft/test_shard.h"

namespace drumbeat::raft::testing {
namespace {

/// Members `a` and `b` of a shard hear each other `ticks` late.
class SlowLink {
 public:
  SlowLink(TestShard& shard, std::uint64_t a, std::uint64_t b, std::uint64_t ticks)
      : shard_(shard), ticks_(ticks) {
    shard_.filter = [this, a = ReplicaId(a), b = ReplicaId(b)](const Envelope& envelope) {
      const bool slow =
          (envelope.from == a && envelope.to == b) || (envelope.from == b && envelope.to == a);
      if (!slow || arriving_) return true;
      under_way_.emplace_back(now_ + ticks_, envelope);
      return false;
    };
  }
  ~SlowLink() { shard_.filter = nullptr; }
  SlowLink(const SlowLink&) = delete;
  SlowLink& operator=(const SlowLink&) = delete;

  void Tick() {
    ++now_;
    while (!under_way_.empty() && under_way_.front().first <= now_) {
      Envelope envelope = std::move(under_way_.front().second);
      under_way_.pop_front();
      arriving_ = true;
      shard_.Deliver(std::move(envelope));
      arriving_ = false;
    }
    shard_.TickAll(1);
  }

 private:
  TestShard& shard_;
  const std::uint64_t ticks_;
  std::uint64_t now_ = 0;
  bool arriving_ = false;
  std::deque<std::pair<std::uint64_t, Envelope>> under_way_;
};

// N-06: one link takes one and a half election timeouts.
TEST(SlowLinkTest, CausesNoElectionsAndNoStaleReads) {
  for (std::uint64_t end = 2; end <= 3; ++end) {
    const Options options = TestShard::CarefulOptions();
    TestShard shard(3, options);
    ASSERT_TRUE(shard.Elect(1));
    const Term term = shard.raft(1).term();
    SlowLink link(shard, 1, end, options.election_ticks * 3 / 2);
    std::map<std::uint64_t, Index> committed_before;
    std::uint64_t reads = 0;
    for (int tick = 1; tick <= 600; ++tick) {
      if (tick % 7 == 0 && tick < 500) {
        const Index before = shard[1].applied();
        shard.Propose(1, "text");
        EXPECT_GT(shard[1].applied(), before) << "the other two carry it";
        committed_before[++reads] = shard[1].applied();
        shard.raft(reads % 2 == 0 ? end : 1).ReadIndex({.low = reads, .high = 77});
      }
      link.Tick();
    }
    EXPECT_EQ(shard.Leader(), 1u);
    EXPECT_EQ(shard.raft(1).term(), term);
    std::uint64_t answered = 0;
    for (const std::uint64_t replica : {std::uint64_t{1}, end}) {
      for (const ReadReady& read : shard[replica].reads) {
        ++answered;
        EXPECT_GE(read.index, committed_before.at(read.context.low)) << read.context.low;
      }
    }
    EXPECT_GT(answered, reads / 2);
    EXPECT_EQ(shard[end].history(), shard[1].history());
  }
}

}  // namespace
}  // namespace drumbeat::raft::testing
