// SPDX-License-Identifier: Apache-2.0
#include "storage/wal_scan.h"

#include <algorithm>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/byte_coding.h"
#include "base/crc.h"
#include "base/random.h"

namespace drumbeat::storage {
namespace {

class StringBlocks : public LogBlocks {
 public:
  explicit StringBlocks(std::string_view bytes) : bytes_(bytes) {}
  std::uint64_t size() const override { return bytes_.size(); }
  Result<std::string_view> Block(std::uint64_t offset) override {
    return bytes_.substr(static_cast<std::size_t>(offset), kLogBlockBytes);
  }

 private:
  std::string_view bytes_;
};

LogJudgement JudgeBytes(std::string_view bytes) {
  StringBlocks blocks(bytes);
  return JudgeLog(blocks).value();
}

void AppendFragment(std::string& log, unsigned type, std::string_view body) {
  const std::string checked = static_cast<char>(type) + std::string(body);
  base::AppendLittle(log, base::MaskCrc32c(base::Crc32c(checked)));
  base::AppendLittle(log, static_cast<std::uint16_t>(body.size()));
  log += checked;
}

/// Appends one record as RocksDB's log writer does.
void AppendRecord(std::string& log, std::string_view body) {
  bool first = true;
  do {
    const std::size_t left = kLogBlockBytes - log.size() % kLogBlockBytes;
    if (left < kLogHeaderBytes) {
      log.append(left, '\0');
      continue;
    }
    const std::size_t length = std::min(body.size(), left - kLogHeaderBytes);
    const bool last = length == body.size();
    AppendFragment(log, first && last ? 1 : first ? 2 : last ? 4 : 3, body.substr(0, length));
    body.remove_prefix(length);
    first = false;
    if (last) return;
  } while (true);
}

std::string Body(std::uint64_t seed, std::size_t length) {
  base::Random random(seed);
  std::string body(length, '\0');
  for (char& byte : body) byte = static_cast<char>(1 + random.Below(255));
  return body;
}

/// Records of many lengths, over several blocks; where each one ends.
struct SampleLog {
  std::string bytes;
  std::vector<std::size_t> ends;
};
SampleLog MakeLog(const std::vector<std::size_t>& lengths) {
  SampleLog log;
  for (const std::size_t length : lengths) {
    AppendRecord(log.bytes, Body(log.ends.size() + 1, length));
    log.ends.push_back(log.bytes.size());
  }
  return log;
}

TEST(WalScanTest, AnEmptyLogIsIntact) {
  const LogJudgement judgement = JudgeBytes("");
  EXPECT_EQ(judgement.verdict, LogVerdict::kIntact);
  EXPECT_FALSE(judgement.has_record);
}

TEST(WalScanTest, WholeRecordsAreIntactWhateverTheirLength) {
  // 32,750 leaves less than a header at the end of its block, 32,754 exactly one header.
  for (const std::size_t length : {0, 1, 100, 32'750, 32'754, 32'761, 32'762, 100'000}) {
    const SampleLog log = MakeLog({length, 10, length, 3});
    const LogJudgement judgement = JudgeBytes(log.bytes);
    EXPECT_EQ(judgement.verdict, LogVerdict::kIntact) << length;
    EXPECT_EQ(judgement.intact_bytes, log.bytes.size());
    EXPECT_TRUE(judgement.has_record);
  }
}

TEST(WalScanTest, ZerosBehindTheLastRecordAreItsEnd) {
  const SampleLog log = MakeLog({100, 200});
  const LogJudgement judgement = JudgeBytes(log.bytes + std::string(100'000, '\0'));
  EXPECT_EQ(judgement.verdict, LogVerdict::kIntact);
  EXPECT_EQ(judgement.intact_bytes, log.bytes.size());
}

// S-05: a power cut may leave any prefix.
TEST(WalScanTest, ALogThatEndsAnywhereIsTornAtTheEndOfAWholeRecord) {
  const SampleLog log = MakeLog({120, 900, 40'000, 150, 70'000, 130, 90, 110});
  for (std::size_t length = 0; length < log.bytes.size();
       length += length < 4000 || length > log.bytes.size() - 4000 ? 1 : 37) {
    const LogJudgement judgement = JudgeBytes(std::string_view(log.bytes).substr(0, length));
    std::size_t whole = 0;
    for (const std::size_t end : log.ends) {
      if (end <= length) whole = end;
    }
    // Less than a header is left of a block there: what stands in it never means anything.
    const bool padding = kLogBlockBytes - whole % kLogBlockBytes < kLogHeaderBytes &&
                         length / kLogBlockBytes == whole / kLogBlockBytes;
    ASSERT_NE(judgement.verdict, LogVerdict::kDamaged) << length;
    ASSERT_EQ(judgement.verdict == LogVerdict::kIntact, whole == length || padding) << length;
    if (judgement.verdict == LogVerdict::kTorn) {
      ASSERT_EQ(judgement.intact_bytes, whole) << length;
    }
  }
}

// What a file system leaves whose file had grown before its data got there.
TEST(WalScanTest, ALogWhoseLastRecordIsZerosFromSomeSectorOnIsTorn) {
  const SampleLog log = MakeLog({1000, 300, 5000});
  const std::size_t start = log.ends[1];
  for (std::size_t sector = (start / 512) * 512; sector < log.bytes.size(); sector += 512) {
    std::string torn = log.bytes;
    const std::size_t from = std::max(sector, start);
    std::fill(torn.begin() + static_cast<std::ptrdiff_t>(from), torn.end(), '\0');
    const LogJudgement judgement = JudgeBytes(torn + std::string(777, '\0'));
    EXPECT_EQ(judgement.verdict, from == start ? LogVerdict::kIntact : LogVerdict::kTorn) << sector;
    EXPECT_EQ(judgement.intact_bytes, start) << sector;
  }
}

// S-06: sectors of the last write may get to the disk in any order.
TEST(WalScanTest, ALastRecordOfWhichAnySectorsAreMissingIsTorn) {
  base::Random random(3);
  for (const std::size_t length : {300, 1500, 9000, 100'000}) {
    const SampleLog log = MakeLog({700, 800, length});
    const std::size_t start = log.ends[1];
    for (int round = 0; round < 60; ++round) {
      std::string torn = log.bytes;
      bool lost = false;
      for (std::size_t at = start; at < torn.size();) {
        const std::size_t end = std::min(torn.size(), (at / 512 + 1) * 512);
        if (random.OneIn(3)) {
          std::fill(torn.begin() + static_cast<std::ptrdiff_t>(at),
                    torn.begin() + static_cast<std::ptrdiff_t>(end), '\0');
          lost = true;
        }
        at = end;
      }
      const LogJudgement judgement = JudgeBytes(torn);
      ASSERT_NE(judgement.verdict, LogVerdict::kDamaged) << length << " round " << round;
      ASSERT_EQ(judgement.intact_bytes, lost ? start : torn.size());
    }
  }
}

TEST(WalScanTest, AnyFlippedBitOfARecordIsDamage) {
  const SampleLog log = MakeLog({100, 60, 80});
  for (std::size_t at = 0; at < log.bytes.size(); ++at) {
    for (unsigned bit = 0; bit < 8; ++bit) {
      std::string flipped = log.bytes;
      flipped[at] = static_cast<char>(flipped[at] ^ (1 << bit));
      ASSERT_EQ(JudgeBytes(flipped).verdict, LogVerdict::kDamaged) << at << " bit " << bit;
    }
  }
}

// The zeros are what was written: a flipped bit must not make the record look torn.
TEST(WalScanTest, AFlippedBitIsDamageAlsoInARecordFullOfZeros) {
  std::string log;
  AppendRecord(log, "start");
  AppendRecord(log, std::string(3000, '\0'));
  for (std::size_t at = 0; at < log.size(); ++at) {
    const auto bit = static_cast<unsigned>(at % 8);
    std::string flipped = log;
    flipped[at] = static_cast<char>(flipped[at] ^ (1 << bit));
    ASSERT_EQ(JudgeBytes(flipped).verdict, LogVerdict::kDamaged) << at;
  }
}

TEST(WalScanTest, AHoleBeforeAWholeRecordIsDamage) {
  const SampleLog log = MakeLog({1000, 5000, 300});
  std::string holed = log.bytes;
  std::fill(holed.begin() + 2048, holed.begin() + 4096, '\0');
  const LogJudgement judgement = JudgeBytes(holed);
  EXPECT_EQ(judgement.verdict, LogVerdict::kDamaged);
  EXPECT_EQ(judgement.bad_at, log.ends[0]);
  // The same with all of a record gone: nothing but zeros, then a whole one.
  holed = log.bytes;
  std::fill(holed.begin() + static_cast<std::ptrdiff_t>(log.ends[0]),
            holed.begin() + static_cast<std::ptrdiff_t>(log.ends[1]), '\0');
  EXPECT_EQ(JudgeBytes(holed).verdict, LogVerdict::kDamaged);
}

// Users store logs, too: what looks whole within a torn record is a part of it.
TEST(WalScanTest, ATornRecordThatHoldsALogIsTorn) {
  const SampleLog held = MakeLog({100, 30'000, 0, 70'000, 200});
  for (const std::size_t before : {0, 1, 511, 512, 20'000}) {
    std::string log = MakeLog({700}).bytes;
    const std::size_t start = log.size();
    AppendRecord(log, Body(1, before) + held.bytes + Body(2, 3000));
    for (std::size_t sector = start / 512 * 512; sector < log.size(); sector += 512) {
      std::string torn = log;
      std::fill(torn.begin() + static_cast<std::ptrdiff_t>(std::max(sector, start)),
                torn.begin() + static_cast<std::ptrdiff_t>(std::min(sector + 512, log.size())),
                '\0');
      const LogJudgement judgement = JudgeBytes(torn + std::string(5000, '\0'));
      ASSERT_EQ(judgement.verdict, LogVerdict::kTorn) << before << " sector " << sector;
      ASSERT_EQ(judgement.intact_bytes, start);
    }
  }
}

// A hole, a whole record, and a last one that is torn: the record's header tells where it ends.
TEST(WalScanTest, AHoleIsDamageAlsoWhereTheLastRecordIsTorn) {
  for (const std::size_t length : {5000, 100'000}) {
    const SampleLog log = MakeLog({1000, length, 300, 2000});
    std::string holed = log.bytes.substr(0, log.bytes.size() - 700);
    std::fill(holed.begin() + 2048, holed.begin() + 4096, '\0');
    const LogJudgement judgement = JudgeBytes(holed);
    EXPECT_EQ(judgement.verdict, LogVerdict::kDamaged) << length;
    EXPECT_EQ(judgement.bad_at, log.ends[0]);
  }
}

// Each place may begin a record; the search must not look at any place more often for it.
TEST(WalScanTest, ATornRecordOfNothingButRecordsIsJudgedSoon) {
  std::string records;
  while (records.size() < 8u << 20) AppendFragment(records, 1, "");
  std::string log = MakeLog({700}).bytes;
  const std::size_t start = log.size();
  AppendRecord(log, records + "end");
  std::fill(log.begin() + static_cast<std::ptrdiff_t>(start), log.begin() + 1024, '\0');
  EXPECT_EQ(JudgeBytes(log).verdict, LogVerdict::kTorn);
}

TEST(WalScanTest, GarbageBehindTheLastRecordIsDamage) {
  const SampleLog log = MakeLog({1000, 300});
  EXPECT_EQ(JudgeBytes(log.bytes + Body(9, 100)).verdict, LogVerdict::kDamaged);
}

TEST(WalScanTest, FragmentsOutOfOrderAreDamage) {
  for (const std::vector<unsigned>& types :
       {std::vector<unsigned>{4}, {3}, {2, 1}, {2, 2}, {1, 4}, {2, 3, 1}}) {
    std::string log;
    for (const unsigned type : types) AppendFragment(log, type, "some bytes");
    EXPECT_EQ(JudgeBytes(log).verdict, LogVerdict::kDamaged);
  }
}

// RocksDB takes a recyclable record of another file for the end of the log, unchecked.
TEST(WalScanTest, RecyclableRecordsAreDamage) {
  for (const unsigned type : {5, 6, 7, 8, 9}) {
    std::string log;
    AppendFragment(log, 1, "whole");
    AppendFragment(log, type, "0000some bytes");
    EXPECT_EQ(JudgeBytes(log).verdict, LogVerdict::kDamaged) << type;
  }
}

TEST(WalScanTest, AnyBytesAreJudgedWithoutHarm) {
  base::Random random(11);
  for (int round = 0; round < 300; ++round) {
    std::string bytes = MakeLog({random.Below(400), random.Below(40'000), random.Below(400)}).bytes;
    for (std::uint64_t i = random.Below(20); i > 0; --i) {
      bytes[random.Below(bytes.size())] = static_cast<char>(random.Below(256));
    }
    bytes.resize(random.Below(bytes.size() + 1));
    const LogJudgement judgement = JudgeBytes(bytes);
    EXPECT_LE(judgement.intact_bytes, bytes.size());
  }
}

}  // namespace
}  // namespace drumbeat::storage
