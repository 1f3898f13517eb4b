// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <any>
#include <array>
#include <functional>
#include <memory>
#include <new>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "base/random.h"
#include "base/resident_memory.h"
#include "state_machine/runtime.h"
#include "state_machine/test_machine.h"

namespace drumbeat::state_machine {
namespace {

/// A replica with members, sessions and some state.
TestReplica Grown() {
  TestReplica replica;
  EXPECT_TRUE(replica.Apply(AddVoter(1, "a:1")));
  EXPECT_TRUE(replica.Apply(Register(3)));
  EXPECT_TRUE(replica.Apply(Register(5)));
  EXPECT_TRUE(replica.Apply(Command("ok", 3, 1)));
  EXPECT_TRUE(replica.Apply(Command("more", 5, 1)));
  return replica;
}

void ExpectSame(const TestReplica& a, const TestReplica& b) {
  EXPECT_EQ(a.runtime->applied(), b.runtime->applied());
  EXPECT_EQ(a.runtime->applied_term(), b.runtime->applied_term());
  EXPECT_EQ(a.runtime->membership(), b.runtime->membership());
  EXPECT_EQ(a.runtime->sessions(), b.runtime->sessions());
  EXPECT_EQ(a.state->text, b.state->text);
}

TEST(RuntimeSnapshotTest, ASnapshotBringsBackEverything) {
  for (const Compression compression : {Compression::kNone, Compression::kSnappy}) {
    TestReplica from = Grown();
    const Result<Snapshot> snapshot = SaveSnapshot(*from.runtime, compression);
    ASSERT_TRUE(snapshot) << snapshot.error().text();
    EXPECT_EQ(snapshot->record.index, Index(5));
    EXPECT_EQ(snapshot->record.term, Term(2));
    EXPECT_EQ(snapshot->record.membership, from.runtime->membership());
    EXPECT_EQ(snapshot->record.image_bytes, snapshot->image.size());
    TestReplica to;
    const Result<void> recovered = RecoverSnapshot(*to.runtime, *snapshot);
    ASSERT_TRUE(recovered) << recovered.error().text();
    ExpectSame(from, to);
    // Both go on alike: the retry is known, the next series is new.
    for (TestReplica* replica : {&from, &to}) {
      EXPECT_EQ(replica->Apply(Command("ok", 3, 1))->result.data, "ok");
      EXPECT_EQ(replica->Apply(Command("new", 3, 2, 1))->outcome, AppliedAs::kUpdated);
    }
    ExpectSame(from, to);
  }
}

TEST(RuntimeSnapshotTest, AFullSessionTableKeepsItsOrder) {
  TestReplica from;
  base::Random random(11);
  for (std::uint64_t client = 1; client <= 4200; ++client) {
    ASSERT_TRUE(from.Apply(Register(client)));
    if (random.OneIn(3)) {
      ASSERT_TRUE(from.Apply(Command("r", 1 + random.Below(client), 1 + random.Below(20))));
    }
  }
  const Result<Snapshot> snapshot = SaveSnapshot(*from.runtime);
  ASSERT_TRUE(snapshot);
  TestReplica to;
  ASSERT_TRUE(RecoverSnapshot(*to.runtime, *snapshot));
  ExpectSame(from, to);
  EXPECT_EQ(to.runtime->sessions().sessions.size(), 4096u);
  // The same registrations evict the same sessions on both.
  for (std::uint64_t client = 5000; client < 7000; ++client) {
    for (TestReplica* replica : {&from, &to}) ASSERT_TRUE(replica->Apply(Register(client)));
  }
  EXPECT_EQ(from.runtime->sessions(), to.runtime->sessions());
}

// The tables of wire-vectors.json: sessions_two is in use order 3, 5.
TEST(RuntimeSnapshotTest, ReadsWhatDragonboatWrote) {
  const std::string json_3 =
      R"({"History":{"1":{"Value":9,"Data":"b2s="},"10":{"Value":0,"Data":null},)"
      R"("2":{"Value":10,"Data":null}},"ClientID":3,"RespondedUpTo":0})";
  const std::string json_5 = R"({"History":{},"ClientID":5,"RespondedUpTo":1})";
  std::string table;
  base::AppendLittle(table, std::uint64_t{4096});
  base::AppendLittle(table, std::uint64_t{2});
  for (const std::string& json : {json_3, json_5}) {
    base::AppendLittle(table, std::uint64_t{json.size()});
    table += json;
  }
  MemorySink sink;
  const auto writer = codec::ImageWriter::Make(sink, Compression::kNone, 1);
  ASSERT_TRUE(writer->Write(table + "12345678"));
  ASSERT_TRUE(writer->Finish());
  Snapshot snapshot;
  snapshot.image = writer->header() + sink.body;
  snapshot.record.index = Index(20);
  snapshot.record.term = Term(4);
  snapshot.record.membership.voters[ReplicaId(1)] = "a:1";
  snapshot.record.image_bytes = snapshot.image.size();
  TestReplica replica;
  const Result<void> recovered = RecoverSnapshot(*replica.runtime, snapshot);
  ASSERT_TRUE(recovered) << recovered.error().text();
  EXPECT_EQ(replica.state->text, "12345678");
  EXPECT_EQ(replica.runtime->applied(), Index(20));
  EXPECT_EQ(replica.runtime->applied_term(), Term(4));
  EXPECT_EQ(replica.Apply(Command("x", 3, 1))->result, (ApplyResult{.value = 9, .data = "ok"}));
  EXPECT_EQ(replica.Apply(Command("x", 3, 10))->result, ApplyResult{});
  EXPECT_EQ(replica.Apply(Command("x", 5, 1))->outcome, AppliedAs::kIgnored);
  EXPECT_EQ(replica.Apply(Command("x", 5, 2))->outcome, AppliedAs::kUpdated);
}

TEST(RuntimeSnapshotTest, AFailedSaveDoesNoHarm) {
  TestReplica replica = Grown();
  MemorySink full;
  full.fail_after = 0;
  EXPECT_EQ(replica.runtime->Save(full, Compression::kNone, 1, {}).error().code,
            ErrorCode::kStorage);
  std::stop_source stop;
  stop.request_stop();
  replica.state->on_save = [](SnapshotWriter&, std::stop_token token) -> Result<void> {
    if (token.stop_requested()) return Fail(ErrorCode::kAborted);
    return {};
  };
  MemorySink sink;
  EXPECT_EQ(replica.runtime->Save(sink, Compression::kNone, 1, stop.get_token()).error().code,
            ErrorCode::kAborted);
  EXPECT_TRUE(replica.Apply(Command("x")));
}

// It would cut the log off behind a state that nobody can load.
TEST(RuntimeSnapshotTest, SessionsThatNobodyWouldReadAreNotSaved) {
  const RuntimeOptions options{.replica = {}, .max_sessions_bytes = 1000};
  TestReplica replica(options);
  ASSERT_TRUE(replica.Apply(Register(3)));
  ASSERT_TRUE(replica.Apply(Command(std::string(900, 'x'), 3, 1)));
  const Result<Snapshot> refused = SaveSnapshot(*replica.runtime);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::kPayloadTooLarge);
  EXPECT_NE(refused.error().message.find("1000 bytes"), std::string::npos);
  // The replica goes on, and what the client has seen is in the way no more.
  ASSERT_TRUE(replica.Apply(Command("y", 3, 2, 1)));
  const Result<Snapshot> snapshot = SaveSnapshot(*replica.runtime);
  ASSERT_TRUE(snapshot) << snapshot.error().text();
  TestReplica to(options);
  ASSERT_TRUE(RecoverSnapshot(*to.runtime, *snapshot));
  ExpectSame(replica, to);
}

/// Throws everything away, and sees how much memory is in use meanwhile.
class MeteredSink : public codec::ImageSink {
 public:
  Result<void> Append(std::string_view) override {
    most = std::max(most, base::ResidentBytes());
    return {};
  }
  std::size_t most = 0;
};

// What clients have not acknowledged may be gigabytes.
TEST(RuntimeSnapshotTest, SessionsAreSavedOneByOne) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "sanitizers keep freed memory";
#endif
  TestReplica replica;
  replica.state->on_update = [](const UpdateEntry&) -> Result<ApplyResult> {
    return ApplyResult{.value = 0, .data = std::string(1u << 20, 'x')};
  };
  for (std::uint64_t client = 1; client <= 64; ++client) {
    ASSERT_TRUE(replica.Apply(Register(client)));
    ASSERT_TRUE(replica.Apply(Command("x", client, 1)));
  }
  MeteredSink sink;
  const std::size_t before = base::ResidentBytes();
  ASSERT_TRUE(replica.runtime->Save(sink, Compression::kNone, 1, {}));
  EXPECT_LT(sink.most, before + (24u << 20)) << sink.most - before;
}

TEST(RuntimeSnapshotTest, MembersThatNoHostWouldTakeAreNotSaved) {
  TestReplica replica = Grown();
  ASSERT_TRUE(replica.Apply(AddVoter(2, std::string(codec::kMaxMembershipBytes, 'a'))));
  EXPECT_EQ(SaveSnapshot(*replica.runtime).error().code, ErrorCode::kPayloadTooLarge);
  raft::ConfigChange change;
  change.type = raft::ConfigChangeType::kRemove;
  change.replica = ReplicaId(2);
  ASSERT_TRUE(replica.Apply(Change(change)));
  EXPECT_TRUE(SaveSnapshot(*replica.runtime));
}

TEST(RuntimeSnapshotTest, TheSinksErrorWinsOverWhatTheMachineMakesOfIt) {
  TestReplica replica = Grown();
  int style = 0;
  replica.state->on_save = [&](SnapshotWriter& writer, std::stop_token) -> Result<void> {
    Result<void> written;
    for (int i = 0; i < 100 && written; ++i) written = writer.Write(std::string(100000, 'x'));
    EXPECT_FALSE(written);
    EXPECT_FALSE(writer.Write("more"));
    if (style == 0) return {};
    if (style == 1) return Fail(ErrorCode::kNotFound, "lost it");
    throw std::runtime_error("lost it");
  };
  for (style = 0; style < 3; ++style) {
    MemorySink full;
    full.fail_after = 0;
    EXPECT_EQ(replica.runtime->Save(full, Compression::kNone, 1, {}).error().code,
              ErrorCode::kStorage)
        << style;
  }
}

class ThrowingSink : public codec::ImageSink {
 public:
  explicit ThrowingSink(std::function<void()> thrower) : throw_(std::move(thrower)) {}
  Result<void> Append(std::string_view) override {
    throw_();
    return {};
  }

 private:
  const std::function<void()> throw_;
};

TEST(RuntimeSnapshotTest, WhatTheSinkThrowsCannotBeSwallowed) {
  TestReplica replica = Grown();
  replica.state->on_save = [](SnapshotWriter& writer, std::stop_token) -> Result<void> {
    try {
      while (writer.Write(std::string(1u << 20, 'x'))) {
      }
    } catch (...) {
    }
    return {};
  };
  ThrowingSink poor([] { throw std::bad_alloc(); });
  EXPECT_EQ(replica.runtime->Save(poor, Compression::kNone, 1, {}).error().code,
            ErrorCode::kStorage);
  ThrowingSink broken([] { throw std::runtime_error("broken"); });
  const Error error = replica.runtime->Save(broken, Compression::kNone, 1, {}).error();
  EXPECT_EQ(error.code, ErrorCode::kReplicaFailed);
  EXPECT_EQ(error.message, "broken");
}

TEST(RuntimeSnapshotTest, AMachineThatCannotSaveFails) {
  TestReplica replica = Grown();
  replica.state->on_save = [](SnapshotWriter&, std::stop_token) -> Result<void> {
    throw std::runtime_error("boom");
  };
  EXPECT_EQ(SaveSnapshot(*replica.runtime).error().message,
            "state machine: SaveSnapshot threw: boom");
  replica.state->on_save = [](SnapshotWriter&, std::stop_token) -> Result<void> {
    return Fail(ErrorCode::kNotFound, "no");
  };
  EXPECT_EQ(SaveSnapshot(*replica.runtime).error().code, ErrorCode::kReplicaFailed);
}

TEST(RuntimeSnapshotTest, DamageAnywhereInTheImageIsAnError) {
  TestReplica from = Grown();
  const Result<Snapshot> snapshot = SaveSnapshot(*from.runtime);
  ASSERT_TRUE(snapshot);
  // Table, state and tail; the state machine stops after two bytes, so the rest must be read too.
  for (const std::size_t at : {std::size_t{1030}, snapshot->image.size() - 25,
                               snapshot->image.size() - 3, snapshot->image.size() - 10}) {
    Snapshot damaged = *snapshot;
    damaged.image[at] = static_cast<char>(damaged.image[at] ^ 0x20);
    TestReplica to;
    to.state->on_recover = [](SnapshotReader& reader, std::stop_token) -> Result<void> {
      std::array<char, 2> some;
      const Result<std::size_t> got = reader.Read(some);
      return got ? Result<void>() : std::unexpected(got.error());
    };
    const Result<void> recovered = RecoverSnapshot(*to.runtime, damaged);
    ASSERT_FALSE(recovered) << at;
    EXPECT_EQ(recovered.error().code, ErrorCode::kDamaged) << at;
    EXPECT_EQ(to.runtime->applied(), Index(0));
    EXPECT_FALSE(to.runtime->Lookup(std::any())) << "the state is not to be used any more";
  }
}

TEST(RuntimeSnapshotTest, WhatRecoveryThrowsFailsTheReplica) {
  TestReplica from = Grown();
  const Result<Snapshot> snapshot = SaveSnapshot(*from.runtime);
  TestReplica to;
  to.state->on_recover = [](SnapshotReader&, std::stop_token) -> Result<void> {
    throw std::bad_alloc();
  };
  EXPECT_EQ(RecoverSnapshot(*to.runtime, *snapshot).error().code, ErrorCode::kReplicaFailed);
}

TEST(RuntimeSnapshotTest, OnlyANewerSnapshotReplacesTheState) {
  TestReplica from = Grown();
  const Result<Snapshot> snapshot = SaveSnapshot(*from.runtime);
  EXPECT_EQ(RecoverSnapshot(*from.runtime, *snapshot).error().code, ErrorCode::kReplicaFailed);
}

TEST(RuntimeSnapshotTest, AWitnessTakesIndexAndMembersAlone) {
  Snapshot snapshot;
  snapshot.image = codec::WitnessImage(1);
  snapshot.record.index = Index(9);
  snapshot.record.term = Term(3);
  snapshot.record.witness = true;
  snapshot.record.membership.voters[ReplicaId(1)] = "a:1";
  snapshot.record.image_bytes = snapshot.image.size();
  RuntimeOptions options;
  options.witness = true;
  const auto witness = Runtime::Make(options, nullptr);
  ASSERT_TRUE(witness->Recover(snapshot.record, nullptr, {}));
  EXPECT_EQ(witness->applied(), Index(9));
  EXPECT_EQ(witness->applied_term(), Term(3));
  EXPECT_EQ(witness->membership(), snapshot.record.membership);
  // A member with state would lose it.
  TestReplica voter = Grown();
  EXPECT_EQ(RecoverSnapshot(*voter.runtime, snapshot).error().code, ErrorCode::kReplicaFailed);
}

}  // namespace
}  // namespace drumbeat::state_machine
