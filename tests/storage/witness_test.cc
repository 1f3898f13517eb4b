// SPDX-License-Identifier: Apache-2.0
#include "storage/witness.h"

#include <chrono>
#include <map>
#include <memory>

#include <gtest/gtest.h>

#include "contract/store_samples.h"
#include "storage/memory_kv.h"

namespace drumbeat::storage {
namespace {

using std::chrono::milliseconds;

class WitnessTest : public testing::Test {
 protected:
  void SetUp() override { Reopen(); }
  void Reopen() {
    witness_.reset();
    witness_ = Witness::Open(OpenMemorySlot(disk_), [this] { return now_; }).value();
  }
  Result<void> RaiseLog(std::uint64_t term, std::uint64_t vote, std::uint64_t last) {
    const Witness::Note note{.replica = kReplica,
                             .log = {{Term(term), ReplicaId(vote), Index(last)}}};
    return witness_->Raise({&note, 1});
  }
  /// What a crash now would leave.
  WitnessLine Stored() {
    const auto stored = Witness::Open(OpenMemorySlot(disk_), [this] { return now_; }).value();
    return stored->Line(kReplica);
  }

  inline static const ReplicaRef kReplica = Replica(1, 2);
  int writes_ = 0;
  bool fail_ = false;
  std::shared_ptr<MemoryDisk> disk_ =
      std::make_shared<MemoryDisk>(MemoryDisk::Crashes::kSimulated, [this](MemoryDisk::Operation) {
        ++writes_;
        return fail_ ? MemoryDisk::Fault::kLost : MemoryDisk::Fault::kNone;
      });
  std::chrono::steady_clock::time_point now_{};
  std::unique_ptr<Witness> witness_;
};

TEST_F(WitnessTest, TermsAndVotesAreWrittenAtOnce) {
  ASSERT_TRUE(RaiseLog(3, 0, 0).has_value());
  EXPECT_EQ(Stored().term, Term(3));
  ASSERT_TRUE(RaiseLog(3, 2, 0).has_value());
  EXPECT_EQ(Stored().vote, ReplicaId(2));
  const int writes = writes_;
  ASSERT_TRUE(RaiseLog(3, 2, 0).has_value());
  EXPECT_EQ(writes_, writes) << "nothing changed";
}

TEST_F(WitnessTest, IndexesAreWrittenOnceASecond) {
  ASSERT_TRUE(RaiseLog(1, 1, 1).has_value());
  const int writes = writes_;
  for (std::uint64_t last = 2; last <= 10; ++last) {
    now_ += milliseconds(99);
    ASSERT_TRUE(RaiseLog(1, 1, last).has_value());
  }
  EXPECT_EQ(writes_, writes);
  EXPECT_EQ(Stored().last, Index(1));
  now_ += milliseconds(200);
  ASSERT_TRUE(RaiseLog(1, 1, 11).has_value());
  EXPECT_EQ(writes_, writes + 1);
  EXPECT_EQ(Stored().last, Index(11));
}

TEST_F(WitnessTest, AnOrderlyEndWritesWhatIsNoted) {
  ASSERT_TRUE(RaiseLog(1, 1, 1).has_value());
  ASSERT_TRUE(RaiseLog(1, 1, 7).has_value());
  Reopen();
  EXPECT_EQ(witness_->Line(kReplica).last, Index(7));
}

TEST_F(WitnessTest, LoweringIsWrittenAtOnce) {
  ASSERT_TRUE(RaiseLog(1, 1, 100).has_value());
  const Witness::Note lower{.replica = kReplica, .log = {{Term(1), ReplicaId(1), Index(40)}}};
  ASSERT_TRUE(witness_->Lower({&lower, 1}).has_value());
  EXPECT_EQ(Stored().last, Index(40));
}

TEST_F(WitnessTest, TheOtherPartsOfALineStay) {
  ASSERT_TRUE(RaiseLog(5, 2, 9).has_value());
  const Witness::Note image{.replica = kReplica, .image = Index(8)};
  ASSERT_TRUE(witness_->Raise({&image, 1}).has_value());
  const Witness::Note marks{.replica = kReplica, .bootstrapped = true, .removed = true};
  ASSERT_TRUE(witness_->Raise({&marks, 1}).has_value());
  const WitnessLine expected{.term = Term(5),
                             .vote = ReplicaId(2),
                             .last = Index(9),
                             .image = Index(8),
                             .bootstrapped = true,
                             .removed = true};
  EXPECT_EQ(Stored(), expected);
}

// Of two images that become durable at once, the older one may be noted last.
TEST_F(WitnessTest, AnOlderImageDoesNotTakeBackANewerOne) {
  const auto image = [](std::uint64_t index) {
    return Witness::Note{.replica = kReplica, .image = Index(index)};
  };
  const Witness::Note newer = image(20);
  const Witness::Note older = image(10);
  ASSERT_TRUE(witness_->Raise({&newer, 1}).has_value());
  ASSERT_TRUE(witness_->Raise({&older, 1}).has_value());
  EXPECT_EQ(Stored().image, Index(20));
  const Witness::Note nothing = image(0);
  ASSERT_TRUE(witness_->Lower({&nothing, 1}).has_value());
  EXPECT_EQ(Stored().image, Index(0)) << "but a removal does";
}

TEST_F(WitnessTest, AWriteThatFailsIsReported) {
  fail_ = true;
  EXPECT_FALSE(RaiseLog(1, 1, 1).has_value());
  const Witness::Note lower{.replica = kReplica, .log = {{Term(1), ReplicaId(1), Index(0)}}};
  EXPECT_FALSE(witness_->Lower({&lower, 1}).has_value());
}

TEST_F(WitnessTest, ContentThatIsNoListOfLinesIsDamage) {
  ASSERT_TRUE(OpenMemorySlot(disk_)->Write("nonsense").has_value());
  const auto opened = Witness::Open(OpenMemorySlot(disk_), [this] { return now_; });
  ASSERT_FALSE(opened.has_value());
  EXPECT_EQ(opened.error().code, ErrorCode::kDamaged);
}

}  // namespace
}  // namespace drumbeat::storage
