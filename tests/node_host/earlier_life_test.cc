// SPDX-License-Identifier: Apache-2.0
//
// N-08: what was meant for an earlier life of a replica.
#include <any>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include "local_hosts.h"

namespace drumbeat::node_host {
namespace {

constexpr ShardId kShard(1);
constexpr Term kTerm(7);
constexpr milliseconds kTimeout(1000);

/// Replica 1 of two. The test is replica 2, which leads in term 7 as long as it is told so, and no
/// time passes: all happens in one tick.
class EarlierLifeTest : public testing::Test {
 protected:
  void SetUp() override {
    board_.OnSend([this](const raft::Envelope& message) {
      const std::lock_guard lock(mutex_);
      heard_.push_back(message);
    });
    auto host =
        StartOneHost(board_, std::chrono::hours(1), MakeThreadScheduler(), disk_.Open(),
                     logging::Logger(std::make_shared<QuietSink>(), LogLevel::kInfo, "test"));
    ASSERT_TRUE(host.has_value()) << host.error().message;
    host_ = std::move(*host);
    BeginLife();
  }
  void TearDown() override { host_->Close(milliseconds(0)); }

  void BeginLife() {
    const Result<void> started = StartFirstOfTwo(*host_);
    ASSERT_TRUE(started.has_value()) << started.error().message;
    ASSERT_TRUE(Eventually([&] {
      Say(raft::Heartbeat{});
      const auto leader = host_->GetLeader(kShard);
      return leader && leader->leader == ReplicaId(2) && host_->StaleRead(kShard, {}).has_value();
    }));
  }
  void EndLife() { ASSERT_TRUE(host_->StopShard(kShard).Get().has_value()); }

  void Say(raft::Message message) {
    board_.Deliver("host1:1", "host2:1",
                   {.shard = kShard,
                    .from = ReplicaId(2),
                    .to = ReplicaId(1),
                    .term = kTerm,
                    .message = std::move(message)});
  }
  /// The next message of kind M that replica 1 has sent, once it has.
  template <class M>
  M Hear() {
    std::optional<M> heard;
    EXPECT_TRUE(Eventually([&] {
      const std::lock_guard lock(mutex_);
      for (; next_ < heard_.size() && !heard; ++next_) {
        if (const M* message = std::get_if<M>(&heard_[next_].message)) heard = *message;
      }
      return heard.has_value();
    }));
    return heard.value_or(M{});
  }
  /// Appends and commits an entry, and waits until it is saved.
  void Commit(raft::Entry entry) {
    const Index index(log_.size() + kFounders + 1);
    Append(std::move(entry), index);
  }
  void Append(raft::Entry entry, Index commit) {
    const Index previous(log_.size() + kFounders);
    entry.index = previous + 1;
    entry.term = kTerm;
    Say(raft::AppendEntries{.previous = previous,
                            .previous_term = log_.empty() ? Term(1) : kTerm,
                            .commit = commit,
                            .entries = {entry}});
    log_.push_back(entry);
    while (Hear<raft::AppendReply>().index < entry.index) {
    }
  }
  static raft::Entry Command(const std::string& text) {
    raft::Entry entry;
    entry.type = raft::EntryType::kApplication;
    entry.client_id = 5;
    entry.series_id = raft::kNoOpSeries;
    entry.key = 5;
    entry.command = base::Bytes::Copy(text);
    return entry;
  }
  /// Commits a command and waits until it shows, and with it all before it.
  void Show(const std::string& text) {
    Commit(Command(text));
    ASSERT_TRUE(Eventually([&] {
      const auto shown = host_->StaleRead(kShard, {});
      return shown && std::any_cast<std::string>(*shown).ends_with(text);
    }));
  }
  Request<Membership> Ask(std::uint64_t id) {
    raft::ConfigChange change;
    change.type = raft::ConfigChangeType::kAddNonVoting;
    change.replica = ReplicaId(id);
    change.address = "host" + std::to_string(id) + ":1";
    return host_->RequestChange(kShard, change, kTimeout);
  }

  /// Entries that the log begins with.
  static constexpr std::size_t kFounders = 2;

  Switchboard board_;
  StallingDisk disk_;
  std::unique_ptr<Host> host_;
  std::vector<raft::Entry> log_;
  std::mutex mutex_;
  std::vector<raft::Envelope> heard_;
  std::size_t next_ = 0;
};

// Every key and context of a host comes from one number, as do the ids of its clients.
TEST(HostLifeTest, EachBeginsWithAnotherNumber) {
  TestCluster cluster(1);
  std::set<std::uint64_t> ids;
  for (std::size_t life = 1; life <= 2; ++life) {
    cluster.Found(1);
    cluster.WaitForLeader();
    const auto session = cluster.At(1).OpenSession(TestCluster::kShard, milliseconds(5000)).Get();
    ASSERT_TRUE(session.has_value()) << session.error().text();
    ids.insert(session->client_id());
    EXPECT_EQ(ids.size(), life);
    cluster.Stop(1);
    cluster.Open(1);
  }
}

TEST_F(EarlierLifeTest, AnAnswerToItsReadConfirmsNoLaterOne) {
  auto first = host_->Read(kShard, {}, kTimeout);
  const raft::ReadContext captured = Hear<raft::ReadIndexRequest>().context;
  Say(raft::ReadIndexReply{.index = Index(kFounders), .context = captured});
  ASSERT_TRUE(first.Get().has_value());
  EndLife();
  BeginLife();

  auto second = host_->Read(kShard, {}, kTimeout);
  const raft::ReadContext context = Hear<raft::ReadIndexRequest>().context;
  EXPECT_NE(context, captured);
  Say(raft::ReadIndexReply{.index = Index(kFounders), .context = captured});
  Show("a");
  EXPECT_FALSE(second.done());
  Say(raft::ReadIndexReply{.index = Index(kFounders + 1), .context = context});
  const auto text = second.Get();
  ASSERT_TRUE(text.has_value()) << text.error().text();
  EXPECT_EQ(std::any_cast<std::string>(*text), "a");
}

// More than Raft hands out at once. No time passes that would wake it up.
TEST_F(EarlierLifeTest, MuchThatIsCommittedIsAppliedWithoutATick) {
  for (int i = 0; i < 3; ++i) Append(Command(std::string(33u << 20, 'x')), Index(kFounders));
  Show("a");
}

TEST_F(EarlierLifeTest, AChangeThatItAskedForAcknowledgesNoLaterOne) {
  auto first = Ask(3);
  const raft::Entry captured = Hear<raft::ForwardedProposal>().entries.at(0);
  EndLife();
  EXPECT_EQ(first.Get().error().code, ErrorCode::kTerminated) << "nobody knows";
  BeginLife();

  auto second = Ask(4);
  const raft::Entry entry = Hear<raft::ForwardedProposal>().entries.at(0);
  EXPECT_NE(entry.key, captured.key);
  Commit(captured);
  Show("a");
  EXPECT_FALSE(second.done());
  Commit(entry);
  const auto members = second.Get();
  ASSERT_TRUE(members.has_value()) << members.error().text();
  EXPECT_EQ(members->non_votings.size(), 2U);
}

}  // namespace
}  // namespace drumbeat::node_host
