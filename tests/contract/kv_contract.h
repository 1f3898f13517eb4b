// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.h"
#include "storage/kv.h"

// What every Kv must do. Instantiate with KvKinds.
namespace drumbeat::storage {

class KvHarness {
 public:
  virtual ~KvHarness() = default;
  virtual std::unique_ptr<Kv> Open() = 0;
};

struct KvKind {
  std::string name;
  std::function<std::unique_ptr<KvHarness>()> make;

  friend void PrintTo(const KvKind& kind, std::ostream* out) { *out << kind.name; }
};

class KvContract : public testing::TestWithParam<KvKind> {
 protected:
  using Pairs = std::vector<std::pair<std::string, std::string>>;

  void SetUp() override {
    harness_ = GetParam().make();
    kv_ = harness_->Open();
    ASSERT_NE(kv_, nullptr);
  }
  void Reopen() {
    kv_.reset();
    kv_ = harness_->Open();
    ASSERT_NE(kv_, nullptr);
  }
  void Put(Space space, const Pairs& pairs) {
    const auto batch = kv_->NewBatch();
    for (const auto& [key, value] : pairs) batch->Put(space, key, value);
    ASSERT_TRUE(kv_->Write(*batch).has_value());
  }
  Pairs All(Space space, const KeyRange& range = {"", "~"}) {
    Pairs pairs;
    const auto cursor = kv_->Scan(space, range);
    for (; cursor->Valid(); cursor->Next()) pairs.emplace_back(cursor->key(), cursor->value());
    EXPECT_TRUE(cursor->status().has_value());
    return pairs;
  }
  std::string Get(Space space, const std::string& key) {
    const auto value = kv_->Get(space, key);
    EXPECT_TRUE(value.has_value());
    return value->has_value() ? std::string((*value)->view()) : "(none)";
  }

  std::unique_ptr<KvHarness> harness_;
  std::unique_ptr<Kv> kv_;
};

TEST_P(KvContract, KeysAreOrderedAndSpacesApart) {
  Put(Space::kState, {{"b", "1"}, {"a", "2"}, {std::string("a\0", 2), "3"}, {"\xff", "4"}});
  Put(Space::kEntries, {{"a", "other"}});
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(All(Space::kState, {"", "\xff\xff"}),
              Pairs({{"a", "2"}, {std::string("a\0", 2), "3"}, {"b", "1"}, {"\xff", "4"}}));
    EXPECT_EQ(All(Space::kEntries), Pairs({{"a", "other"}}));
    EXPECT_EQ(Get(Space::kState, "b"), "1");
    EXPECT_EQ(Get(Space::kEntries, "b"), "(none)");
    Reopen();
  }
}

TEST_P(KvContract, RangesAreHalfOpen) {
  Put(Space::kState, {{"a", "1"}, {"b", "2"}, {"c", "3"}, {"d", "4"}});
  EXPECT_EQ(All(Space::kState, {"b", "d"}), Pairs({{"b", "2"}, {"c", "3"}}));
  EXPECT_EQ(kv_->LastKey(Space::kState, {"a", "c"}).value(), "b");
  EXPECT_EQ(kv_->LastKey(Space::kState, {"e", "z"}).value(), std::nullopt);
  const auto batch = kv_->NewBatch();
  batch->DeleteRange(Space::kState, {"b", "d"});
  ASSERT_TRUE(kv_->Write(*batch).has_value());
  EXPECT_EQ(All(Space::kState), Pairs({{"a", "1"}, {"d", "4"}}));
}

TEST_P(KvContract, TheChangesOfABatchHappenInOrder) {
  Put(Space::kEntries, {{"a", "old"}, {"b", "old"}});
  const auto batch = kv_->NewBatch();
  EXPECT_TRUE(batch->empty());
  batch->DeleteRange(Space::kEntries, {"a", "c"});
  batch->Put(Space::kEntries, "b", "new");
  batch->Put(Space::kEntries, "c", "gone");
  batch->Delete(Space::kEntries, "c");
  EXPECT_FALSE(batch->empty());
  ASSERT_TRUE(kv_->Write(*batch).has_value());
  EXPECT_EQ(All(Space::kEntries), Pairs({{"b", "new"}}));
  batch->Clear();
  EXPECT_TRUE(batch->empty());
  Reopen();
  EXPECT_EQ(All(Space::kEntries), Pairs({{"b", "new"}}));
}

TEST_P(KvContract, ACursorSeesWhatWasThereWhenItWasMade) {
  Put(Space::kImages, {{"a", "1"}, {"b", "2"}, {"c", "3"}});
  const auto cursor = kv_->Scan(Space::kImages, {"", "~"});
  ASSERT_TRUE(kv_->Drop(Space::kImages, {"", "~"}).has_value());
  Put(Space::kImages, {{"b", "changed"}});
  Pairs seen;
  for (; cursor->Valid(); cursor->Next()) seen.emplace_back(cursor->key(), cursor->value());
  EXPECT_EQ(seen, Pairs({{"a", "1"}, {"b", "2"}, {"c", "3"}}));
  EXPECT_EQ(All(Space::kImages), Pairs({{"b", "changed"}}));
}

TEST_P(KvContract, ABulkEntersAtOnceOrNotAtAll) {
  {
    const auto dropped = kv_->NewBulk().value();
    ASSERT_TRUE(dropped->Add("x", "never").has_value());
  }
  const auto bulk = kv_->NewBulk().value();
  ASSERT_TRUE(bulk->Add("b", "2").has_value());
  ASSERT_TRUE(bulk->Add("c", std::string(100'000, 'c')).has_value());
  ASSERT_TRUE(bulk->EndRun().has_value());
  ASSERT_TRUE(bulk->Add("a", "1").has_value());
  EXPECT_TRUE(All(Space::kImages).empty());
  ASSERT_TRUE(bulk->Commit().has_value());
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(All(Space::kImages),
              Pairs({{"a", "1"}, {"b", "2"}, {"c", std::string(100'000, 'c')}}));
    Reopen();
  }
}

TEST_P(KvContract, RunsAreKnownByTheirLeastKeys) {
  const auto bulk = kv_->NewBulk().value();
  for (const char* key : {"b", "d", "a"}) {
    ASSERT_TRUE(bulk->Add(key, "value").has_value());
    ASSERT_TRUE(bulk->EndRun().has_value());
  }
  ASSERT_TRUE(bulk->Commit().has_value());
  for (int round = 0; round < 2; ++round) {
    std::vector<std::string> keys = kv_->RunKeys({"a", "d"});
    std::sort(keys.begin(), keys.end());
    EXPECT_EQ(keys, std::vector<std::string>({"a", "b"}));
    Reopen();
  }
  ASSERT_TRUE(kv_->Drop(Space::kImages, {"a", "c"}).has_value());
  EXPECT_EQ(kv_->RunKeys({"", "~"}), std::vector<std::string>({"d"}));
}

TEST_P(KvContract, WhatWasDroppedMayEnterAgain) {
  for (int round = 0; round < 3; ++round) {
    const auto bulk = kv_->NewBulk().value();
    ASSERT_TRUE(bulk->Add("a", "round " + std::to_string(round)).has_value());
    ASSERT_TRUE(bulk->Commit().has_value());
    EXPECT_EQ(Get(Space::kImages, "a"), "round " + std::to_string(round));
    ASSERT_TRUE(kv_->Drop(Space::kImages, {"a", "b"}).has_value());
    EXPECT_EQ(Get(Space::kImages, "a"), "(none)");
    if (round == 1) Reopen();
  }
}

TEST_P(KvContract, BehavesLikeAMap) {
  base::Random random(5);
  std::map<std::string, std::string> model;
  const auto key = [&] { return std::string(1, static_cast<char>('a' + random.Below(20))); };
  for (int step = 0; step < 300; ++step) {
    const auto batch = kv_->NewBatch();
    for (std::uint64_t i = random.Below(5); i > 0; --i) {
      const std::string first = key();
      const std::string end = key();
      switch (random.Below(3)) {
        case 0:
          batch->Put(Space::kEntries, first, std::to_string(step));
          model[first] = std::to_string(step);
          break;
        case 1:
          batch->Delete(Space::kEntries, first);
          model.erase(first);
          break;
        default:
          if (first >= end) break;
          batch->DeleteRange(Space::kEntries, {first, end});
          model.erase(model.lower_bound(first), model.lower_bound(end));
      }
    }
    ASSERT_TRUE(kv_->Write(*batch).has_value());
    if (random.OneIn(60)) Reopen();
    ASSERT_EQ(All(Space::kEntries), Pairs(model.begin(), model.end()));
  }
}

}  // namespace drumbeat::storage
