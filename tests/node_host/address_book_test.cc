// SPDX-License-Identifier: Apache-2.0
#include "node_host/address_book.h"

#include <gtest/gtest.h>

namespace drumbeat::node_host {
namespace {

// W-13, M-09, B-63.
TEST(AddressBookTest, WhatTheMembershipSaysIsNeverOverridden) {
  AddressBook book;
  book.SetMembers(MemberMap{{ReplicaId(1), "a:1"}, {ReplicaId(2), "b:2"}});
  EXPECT_EQ(book.Heard(ReplicaId(2), "evil:1"), Speaker::kImpostor);
  EXPECT_EQ(book.Find(ReplicaId(2)), "b:2");
  EXPECT_EQ(book.Heard(ReplicaId(2), "b:2"), Speaker::kKnown);
}

TEST(AddressBookTest, WhomNoMembershipNamesIsAStranger) {
  AddressBook book;
  EXPECT_EQ(book.Heard(ReplicaId(3), "c:3"), Speaker::kKnown) << "nobody is known yet";
  book.SetMembers(MemberMap{{ReplicaId(1), "a:1"}});
  EXPECT_EQ(book.Heard(ReplicaId(3), "c:3"), Speaker::kStranger);
  EXPECT_EQ(book.Heard(ReplicaId(1), "a:1"), Speaker::kKnown);
}

TEST(AddressBookTest, OfStrangersTheLastOnesAreKept) {
  AddressBook book;
  for (std::uint64_t id = 1; id <= AddressBook::kMaxProvisional; ++id) {
    EXPECT_EQ(book.Heard(ReplicaId(id), "host" + std::to_string(id) + ":1"), Speaker::kKnown);
  }
  EXPECT_EQ(book.Heard(ReplicaId(1), "moved:1"), Speaker::kKnown);
  EXPECT_EQ(book.Heard(ReplicaId(1000), "new:1"), Speaker::kKnown);
  EXPECT_EQ(book.Find(ReplicaId(1000)), "new:1");
  EXPECT_EQ(book.Find(ReplicaId(1)), "moved:1");
  EXPECT_EQ(book.Find(ReplicaId(2)), "") << "heard of longest ago";
  EXPECT_EQ(book.Find(ReplicaId(3)), "host3:1");
}

TEST(AddressBookTest, AJoinerRemembersStrangersUntilItKnowsTheMembers) {
  AddressBook book;
  for (std::uint64_t id = 1; id <= 3; ++id) {
    EXPECT_EQ(book.Heard(ReplicaId(id), "host" + std::to_string(id) + ":1"), Speaker::kKnown);
  }
  Membership members;
  members.voters = {{ReplicaId(1), "real:1"}};
  members.witnesses = {{ReplicaId(2), "witness:1"}};
  book.SetMembers(members);
  EXPECT_EQ(book.Find(ReplicaId(1)), "real:1");
  EXPECT_EQ(book.Find(ReplicaId(2)), "witness:1");
  EXPECT_EQ(book.Heard(ReplicaId(1), "host1:1"), Speaker::kImpostor);
}

TEST(AddressBookTest, AMemberThatLeftIsFoundWhereItWas) {
  AddressBook book;
  book.SetMembers(MemberMap{{ReplicaId(1), "a:1"}, {ReplicaId(2), "b:2"}});
  EXPECT_EQ(book.At("b:2"), std::vector<ReplicaId>{ReplicaId(2)});
  book.SetMembers(MemberMap{{ReplicaId(1), "a:1"}});
  EXPECT_FALSE(book.IsMember(ReplicaId(2)));
  EXPECT_EQ(book.Find(ReplicaId(2)), "b:2");
  EXPECT_EQ(book.At("b:2"), std::vector<ReplicaId>{ReplicaId(2)});
  EXPECT_EQ(book.Heard(ReplicaId(2), "stranger:1"), Speaker::kImpostor);
  EXPECT_EQ(book.Heard(ReplicaId(2), "b:2"), Speaker::kKnown);
  for (std::uint64_t id = 11; id < 11 + AddressBook::kMaxFormer; ++id) {
    book.SetMembers(MemberMap{{ReplicaId(1), "a:1"}, {ReplicaId(id), "c:3"}});
  }
  EXPECT_EQ(book.Find(ReplicaId(2)), "b:2");
  book.SetMembers(MemberMap{{ReplicaId(1), "a:1"}});
  EXPECT_EQ(book.Find(ReplicaId(2)), "");
}

}  // namespace
}  // namespace drumbeat::node_host
