// SPDX-License-Identifier: Apache-2.0
#include "codec/chunk.h"

#include <gtest/gtest.h>

#include "codec/records.h"
#include "vectors.h"

namespace drumbeat::codec {
namespace {

base::Bytes Bytes(const std::string& hex) { return base::Bytes::Copy(FromHex(hex)); }

Chunk FullChunk() {
  Chunk chunk;
  chunk.shard = ShardId(128);
  chunk.to = ReplicaId(2);
  chunk.from = ReplicaId(1);
  chunk.chunk_id = 3;
  chunk.chunk_count = 5;
  chunk.data = base::Bytes::Copy("the data");
  chunk.index = Index(1000);
  chunk.term = Term(6);
  chunk.membership.config_change_id = 9;
  chunk.membership.voters = {{ReplicaId(1), "a:1"}, {ReplicaId(2), "b:2"}};
  chunk.file_path = ImageFileName(Index(1000));
  chunk.file_bytes = 9000;
  chunk.deployment_id = 7;
  chunk.file_chunk_id = 3;
  chunk.file_chunk_count = 5;
  chunk.on_disk_index = Index(999);
  chunk.witness = true;
  return chunk;
}

TEST(ChunkTest, EveryFieldComesBack) {
  const Chunk in = FullChunk();
  const auto out = DecodeChunk(base::Bytes::Copy(EncodeChunk(in)));
  ASSERT_TRUE(out.has_value());
  EXPECT_EQ(out->shard, in.shard);
  EXPECT_EQ(out->to, in.to);
  EXPECT_EQ(out->from, in.from);
  EXPECT_EQ(out->chunk_id, in.chunk_id);
  EXPECT_EQ(out->chunk_count, in.chunk_count);
  EXPECT_EQ(out->data, in.data);
  EXPECT_EQ(out->index, in.index);
  EXPECT_EQ(out->term, in.term);
  EXPECT_EQ(out->membership, in.membership);
  EXPECT_EQ(out->file_path, in.file_path);
  EXPECT_EQ(out->file_bytes, in.file_bytes);
  EXPECT_EQ(out->deployment_id, in.deployment_id);
  EXPECT_EQ(out->file_chunk_id, in.file_chunk_id);
  EXPECT_EQ(out->file_chunk_count, in.file_chunk_count);
  EXPECT_FALSE(out->has_file_info);
  EXPECT_EQ(out->bin_version, kBinVersion);
  EXPECT_EQ(out->on_disk_index, in.on_disk_index);
  EXPECT_TRUE(out->witness);
}

TEST(ChunkTest, TheDataSharesThePayload) {
  const base::Bytes payload = base::Bytes::Copy(EncodeChunk(FullChunk()));
  EXPECT_EQ(DecodeChunk(payload)->data.buffer(), payload.buffer());
}

TEST(ChunkTest, ThePartsAroundTheDataMakeTheWhole) {
  const Chunk chunk = FullChunk();
  const EncodedChunk around = EncodeChunkAround(chunk);
  EXPECT_EQ(around.prefix + "the data" + around.suffix, EncodeChunk(chunk));
}

TEST(ChunkTest, DataOfAnotherLengthThanSaidIsRefused) {
  EXPECT_TRUE(DecodeChunk(Bytes("28023a026162")).has_value());
  for (const char* bad : {"3a026162", "28013a026162", "28033a026162", "2802"}) {
    EXPECT_FALSE(DecodeChunk(Bytes(bad)).has_value()) << bad;
  }
}

TEST(ChunkTest, DamagedChunksAreRefused) {
  for (const char* bad : {"0a00", "3a05", "5201", "52021203", "900101", "9a0100"}) {
    EXPECT_FALSE(DecodeChunk(Bytes(bad)).has_value()) << bad;
  }
}

// Whoever can connect can send one, or forty in one chunk: nobody looks at them before it is known
// that a member sent them.
TEST(ChunkTest, TheHeadLeavesTheMembershipAsItIs) {
  const Chunk in = FullChunk();
  const base::Bytes payload = base::Bytes::Copy(EncodeChunk(in));
  auto head = DecodeChunkHead(payload);
  ASSERT_TRUE(head.has_value());
  EXPECT_EQ(head->data, in.data);
  EXPECT_EQ(head->membership, Membership());
  EXPECT_EQ(head->membership_record.buffer(), payload.buffer());
  ASSERT_TRUE(DecodeChunkMembership(*head).has_value());
  EXPECT_EQ(head->membership, in.membership);
  auto bad = DecodeChunkHead(Bytes("52021203"));
  ASSERT_TRUE(bad.has_value());
  EXPECT_FALSE(DecodeChunkMembership(*bad).has_value());
}

TEST(ChunkTest, AMembershipOfMoreThanItsBytesIsRefused) {
  Chunk chunk = FullChunk();
  std::string& address = chunk.membership.voters[ReplicaId(1)];
  address.assign(kMaxMembershipBytes, 'a');
  address.resize(2 * kMaxMembershipBytes - EncodeMembership(chunk.membership).size());
  ASSERT_EQ(EncodeMembership(chunk.membership).size(), kMaxMembershipBytes);
  const auto longest = DecodeChunk(base::Bytes::Copy(EncodeChunk(chunk)));
  ASSERT_TRUE(longest.has_value());
  EXPECT_EQ(longest->membership, chunk.membership);
  address += 'a';
  EXPECT_FALSE(DecodeChunk(base::Bytes::Copy(EncodeChunk(chunk))).has_value());
}

TEST(ChunkTest, MissingFieldsAreZero) {
  const auto chunk = DecodeChunk(base::Bytes());
  ASSERT_TRUE(chunk.has_value());
  EXPECT_EQ(chunk->deployment_id, 0u);
  EXPECT_EQ(chunk->bin_version, 0u);
}

TEST(ChunkTest, ImageFilesHaveTheNameThatDragonboatInsistsOn) {
  EXPECT_EQ(ImageFileName(Index(100)), "snapshot-0000000000000064.gbsnap");
  EXPECT_EQ(ImageFileName(Index(0xfedcba9876543210)), "snapshot-FEDCBA9876543210.gbsnap");
}

}  // namespace
}  // namespace drumbeat::codec
