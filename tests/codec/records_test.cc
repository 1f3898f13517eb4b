// SPDX-License-Identifier: Apache-2.0
#include "codec/records.h"

#include <gtest/gtest.h>

#include "codec/protobuf.h"
#include "vectors.h"

namespace drumbeat::codec {
namespace {

Membership FullMembership() {
  Membership members;
  members.config_change_id = 300;
  members.voters = {{ReplicaId(1), "a:1"}, {ReplicaId(2), "b:2"}, {ReplicaId(300), "c:3"}};
  members.non_votings = {{ReplicaId(4), "d:4"}, {ReplicaId(5), "e:5"}};
  members.witnesses = {{ReplicaId(6), "f:6"}};
  members.removed = {ReplicaId(7), ReplicaId(~std::uint64_t{0})};
  return members;
}

TEST(RecordsTest, AMembershipComesBack) {
  EXPECT_EQ(DecodeMembership(EncodeMembership(FullMembership())).value(), FullMembership());
  EXPECT_EQ(DecodeMembership(EncodeMembership({})).value(), Membership());
  EXPECT_EQ(DecodeMembership("").value(), Membership());
}

TEST(RecordsTest, MapsAreReadInAnyOrderWithMissingParts) {
  // Address before id; neither; an id's mark without the id.
  const auto members = DecodeMembership(FromHex("12071203613a31080212001a021001"));
  ASSERT_TRUE(members.has_value());
  EXPECT_EQ(members->voters, (MemberMap{{ReplicaId(0), ""}, {ReplicaId(2), "a:1"}}));
  EXPECT_EQ(members->removed, std::set<ReplicaId>{ReplicaId(0)});
}

TEST(RecordsTest, OnlyTrueRemoves) {
  const auto members = DecodeMembership(FromHex("1a04080210001a0408031001"));
  ASSERT_TRUE(members.has_value());
  EXPECT_EQ(members->removed, std::set<ReplicaId>{ReplicaId(3)});
}

TEST(RecordsTest, DamagedMembershipsAreRefused) {
  for (const char* bad : {"0a00", "1001", "1203080112", "12020a00", "1a021200", "08"}) {
    EXPECT_FALSE(DecodeMembership(FromHex(bad)).has_value()) << bad;
  }
}

// No rule of membership changes ends at a number of ids.
TEST(RecordsTest, AMembershipComesBackWhateverItsNumberOfIds) {
  Membership members;
  for (std::uint64_t i = 1; i <= 70'000; ++i) {
    members.voters[ReplicaId(i)] = "a:1";
    members.removed.insert(ReplicaId(100'000 + i));
    members.non_votings[ReplicaId(200'000 + i)] = "b:2";
    members.witnesses[ReplicaId(300'000 + i)] = "c:3";
  }
  EXPECT_EQ(DecodeMembership(EncodeMembership(members)), members);
  const Bootstrap bootstrap{.addresses = members.voters};
  EXPECT_EQ(DecodeBootstrap(EncodeBootstrap(bootstrap)), bootstrap);
}

TEST(RecordsTest, ChangesOfEveryTypeComeBack) {
  for (const auto type :
       {raft::ConfigChangeType::kAddVoter, raft::ConfigChangeType::kRemove,
        raft::ConfigChangeType::kAddNonVoting, raft::ConfigChangeType::kAddWitness}) {
    raft::ConfigChange change;
    change.config_change_id = 1000;
    change.type = type;
    change.replica = ReplicaId(5);
    change.address = "host:1";
    change.initialize = true;
    EXPECT_EQ(DecodeConfigChange(EncodeConfigChange(change)).value(), change);
  }
  EXPECT_FALSE(DecodeConfigChange(FromHex("1004")).has_value());
  EXPECT_FALSE(DecodeConfigChange(FromHex("108002")).has_value()) << "type 256";
  EXPECT_FALSE(DecodeConfigChange(FromHex("2001")).has_value());
}

TEST(RecordsTest, AHardStateComesBack) {
  const raft::HardState state{Term(~std::uint64_t{0}), ReplicaId(3), Index(1001)};
  EXPECT_EQ(DecodeHardState(EncodeHardState(state)).value(), state);
  EXPECT_FALSE(DecodeHardState(FromHex("0a00")).has_value());
}

TEST(RecordsTest, ABootstrapRecordComesBack) {
  const Bootstrap bootstrap{
      .addresses = FullMembership().voters, .join = true, .state_machine_type = 3};
  EXPECT_EQ(DecodeBootstrap(EncodeBootstrap(bootstrap)).value(), bootstrap);
  EXPECT_FALSE(DecodeBootstrap(FromHex("0a0108")).has_value());
}

TEST(RecordsTest, ASnapshotRecordComesBack) {
  raft::SnapshotRecord record;
  record.index = Index(100);
  record.term = Term(5);
  record.membership = FullMembership();
  record.image_bytes = 12345;
  record.witness = true;
  record.on_disk_index = Index(99);
  EXPECT_EQ(DecodeSnapshotRecord(EncodeSnapshotRecord(record, ShardId(128))).value(), record);
  EXPECT_FALSE(DecodeSnapshotRecord(FromHex("2200")).has_value());
  EXPECT_FALSE(DecodeSnapshotRecord(FromHex("320112")).has_value());
}

TEST(RecordsTest, FoundingMembersGetOneEntryEachByAscendingId) {
  const std::vector<raft::Entry> entries =
      BootstrapEntries({{ReplicaId(30), "c:3"}, {ReplicaId(2), "b:2"}});
  ASSERT_EQ(entries.size(), 2u);
  for (std::size_t i = 0; i < entries.size(); ++i) {
    EXPECT_EQ(entries[i].term, Term(1));
    EXPECT_EQ(entries[i].index, Index(i + 1));
    EXPECT_EQ(entries[i].type, raft::EntryType::kConfigChange);
    EXPECT_EQ(entries[i].key, 0u);
    const auto change = DecodeConfigChange(entries[i].command.view());
    ASSERT_TRUE(change.has_value());
    EXPECT_EQ(change->replica, ReplicaId(i == 0 ? 2 : 30));
    EXPECT_EQ(change->address, i == 0 ? "b:2" : "c:3");
    EXPECT_TRUE(change->initialize);
    EXPECT_EQ(change->config_change_id, 0u);
  }
  EXPECT_TRUE(BootstrapEntries({}).empty());
}

}  // namespace
}  // namespace drumbeat::codec
