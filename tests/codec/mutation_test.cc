// SPDX-License-Identifier: Apache-2.0
#include <functional>

#include <gtest/gtest.h>

#include "base/byte_coding.h"
#include "base/random.h"
#include "fuzz/properties.h"
#include "vectors.h"

// Every vector, changed at random a few hundred times, keeps what tests/fuzz asks of any input.
namespace drumbeat::codec {
namespace {

using Check = std::function<std::string(std::string_view)>;

const std::vector<Check>& AllChecks() {
  static const std::vector<Check> checks = {
      fuzz::CheckFrameHeader,  fuzz::CheckMessageBatch, fuzz::CheckEntry,   fuzz::CheckChunk,
      fuzz::CheckConfigChange, fuzz::CheckRecords,      fuzz::CheckCommand, fuzz::CheckSessionTable,
      fuzz::CheckImage,        fuzz::CheckSnappyStream,
  };
  return checks;
}

char AnyByte(base::Random& random) {
  constexpr std::string_view kEdges("\x00\x01\x7f\x80\xff", 5);
  return random.OneIn(2) ? kEdges[random.Below(kEdges.size())] : static_cast<char>(random.Next());
}

void Mutate(std::string& bytes, base::Random& random) {
  const std::size_t at = random.Below(bytes.size() + 1);
  switch (random.Below(6)) {
    case 0:
      if (at < bytes.size()) bytes[at] = AnyByte(random);
      break;
    case 1:
      if (at < bytes.size()) {
        bytes[at] = static_cast<char>(bytes[at] ^ (1 << random.Below(8)));
      }
      break;
    case 2: bytes.insert(at, 1, AnyByte(random)); break;
    case 3: bytes.erase(at, random.Below(4)); break;
    case 4: bytes.insert(at, bytes.substr(random.Below(bytes.size() + 1), random.Below(20))); break;
    default: bytes.resize(at); break;
  }
}

class Mutations : public testing::TestWithParam<Vector> {};

TEST_P(Mutations, KeepTheProperties) {
  base::Random random(17);
  for (int round = 0; round < 200; ++round) {
    std::string bytes = GetParam().bytes;
    for (std::uint64_t i = random.Below(4); i > 0; --i) Mutate(bytes, random);
    for (const Check& check : AllChecks()) EXPECT_EQ(check(bytes), "") << ToHex(bytes);
    // A message also where it stands in a batch.
    std::string batch = "\x0a";
    base::AppendVarint(batch, bytes.size());
    EXPECT_EQ(fuzz::CheckMessageBatch(batch + bytes), "") << ToHex(bytes);
  }
}

std::vector<Vector> AllVectors() {
  std::vector<std::string> kinds;
  for (const Json& json : Vectors()["vectors"]) kinds.push_back(json["kind"]);
  return VectorsOf(kinds);
}

INSTANTIATE_TEST_SUITE_P(Wire, Mutations, testing::ValuesIn(AllVectors()), NameOf);

}  // namespace
}  // namespace drumbeat::codec
