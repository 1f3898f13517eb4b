// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "codec/chunk.h"
#include "codec/snapshot_image.h"
#include "fuzz/images.h"
#include "fuzz/input.h"
#include "fuzz/properties.h"
#include "fuzz/targets.h"
#include "node_host/snapshot_receiver.h"
#include "storage/stores.h"

namespace drumbeat::fuzz {
namespace {

using node_host::SnapshotReceiver;

constexpr std::size_t kMaxStreams = 3;

/// A snapshot on its way, as a correct sender cuts it.
struct Sender {
  codec::Chunk next;
  std::string image;
  std::size_t sent = 0;
};

/// What the receiver may have of one replica's snapshot: all that came since its chunk 0.
struct Expected {
  ReplicaId from;
  Index index;
  std::uint64_t next_chunk = 0;
  std::string bytes;
  std::uint64_t tick = 0;
};

class Session {
 public:
  explicit Session(Input& input) : input_(input) {
    for (Sender& sender : senders_) Begin(sender);
  }

  std::string Run() {
    for (int step = 0; step < 200 && !input_.empty(); ++step) {
      const std::uint8_t choice = input_.Byte();
      if (choice < 8) {
        Begin(senders_[choice % senders_.size()]);
      } else if (choice < 16) {
        Expire();
      } else if (choice < 24) {
        if (std::string wrong = SendAny(); !wrong.empty()) return wrong;
      } else {
        Sender& sender = senders_[choice % senders_.size()];
        if (std::string wrong = SendNext(sender); !wrong.empty()) return wrong;
      }
    }
    return {};
  }

 private:
  void Begin(Sender& sender) {
    sender.next = {};
    sender.next.shard = ShardId(1 + input_.Below(2));
    sender.next.from = ReplicaId(2 + input_.Below(3));
    sender.next.index = Index(1 + input_.Below(6));
    sender.next.to = ReplicaId(1 + sender.next.index.value() % 2);
    sender.next.term = Term(1);
    sender.next.membership.config_change_id = 1;
    sender.next.membership.voters = {{ReplicaId(1), "a:1"}, {ReplicaId(2), "b:2"}};
    sender.next.witness = input_.OneIn(8);
    sender.image = MakeImage(input_);
    sender.sent = 0;
  }

  /// The next piece of `sender`, with whatever changes the input asks for.
  std::string SendNext(Sender& sender) {
    std::size_t piece = input_.Byte();
    piece *= input_.Byte();
    std::string data = sender.image.substr(sender.sent, piece);
    sender.sent += data.size();
    codec::Chunk chunk = sender.next;
    ++sender.next.chunk_id;
    const bool whole = sender.sent == sender.image.size();
    if (whole) chunk.chunk_count = input_.Bool() ? codec::kLastChunkCount : chunk.chunk_id + 1;
    Change(chunk, data);
    chunk.data = base::Bytes::Copy(data);
    return Send(chunk);
  }

  void Change(codec::Chunk& chunk, std::string& data) {
    switch (input_.Byte()) {
      case 1: chunk.chunk_id += input_.Byte(); break;
      case 2: chunk.chunk_id = 0; break;
      case 3: chunk.chunk_count = input_.Number(); break;
      case 4: chunk.chunk_count = chunk.chunk_id + 1; break;
      case 5: chunk.from = ReplicaId(input_.Byte()); break;
      case 6: chunk.deployment_id = input_.Byte(); break;
      case 7: chunk.bin_version = input_.Byte(); break;
      case 8: chunk.has_file_info = true; break;
      case 9: chunk.membership = {}; break;
      case 10: chunk.index = Index(input_.Byte()); break;
      case 11: chunk.term = Term(input_.Byte()); break;
      case 12:
        if (!data.empty()) data[input_.Byte() % data.size()] ^= static_cast<char>(input_.Byte());
        break;
      case 13: data.append(input_.Text()); break;
      case 14: chunk.file_bytes = input_.Number(); break;
      case 15: chunk.file_path = input_.Text(); break;
      default: break;
    }
  }

  /// A chunk as it comes off the wire.
  std::string SendAny() {
    const auto chunk = codec::DecodeChunk(base::Bytes::Copy(input_.Text()));
    return chunk ? Send(*chunk) : std::string();
  }

  std::string Send(const codec::Chunk& chunk) {
    const ReplicaRef key{chunk.shard, chunk.to};
    const Index committed(input_.OneIn(8) ? input_.Below(6) : 0);
    const ReplicaId leader(tick_ % 5);
    const auto step =
        receiver_.Add(chunk, {.now_tick = tick_, .committed = committed, .leader = leader});
    const auto found = expected_.find(key);
    const bool known = found != expected_.end();
    const bool same = known && found->second.from == chunk.from;
    if (!step) {
      const ErrorCode why = step.error().code;
      const bool began = chunk.chunk_id == 0 && why != ErrorCode::kBusy &&
                         why != ErrorCode::kInvalidArgument;  // and broke off at once
      const bool own = same && found->second.index == chunk.index;
      // Out of its order: it may be what a dead connection has left.
      const bool stray = step.error().text().find("not the next chunk") != std::string_view::npos;
      if (stray && (!own || chunk.chunk_id == found->second.next_chunk || chunk.chunk_id == 0)) {
        return "a chunk is refused as out of its order that is not";
      }
      if (began || (own && !stray)) expected_.erase(key);
      return {};
    }
    if (chunk.deployment_id != 1 || chunk.has_file_info || !chunk.index || !chunk.term) {
      return "a chunk is taken that fits no snapshot";
    }
    if (chunk.chunk_id == 0) {
      if (known && !same && chunk.from != leader) return "a stream is ended by another member";
      expected_[key] = Expected{};
      expected_[key].from = chunk.from;
      expected_[key].index = chunk.index;
    } else if (!known) {
      return "a chunk is taken whose stream did not begin";
    }
    Expected& stream = expected_[key];
    if (chunk.chunk_id != stream.next_chunk++) return "a chunk is taken out of its order";
    if (chunk.from != stream.from) return "a chunk of another sender is taken";
    if (chunk.index != stream.index) return "a chunk of another snapshot is taken";
    stream.bytes += chunk.data.view();
    stream.tick = tick_;
    if (expected_.size() > kMaxStreams) return "more streams than allowed";
    if (step->progress == SnapshotReceiver::Progress::kMore) return {};
    const std::string bytes = std::move(stream.bytes);
    expected_.erase(key);
    if (chunk.index <= committed) return {};  // not needed, and not kept
    return CheckStored(chunk, step->snapshot, bytes);
  }

  std::string CheckStored(const codec::Chunk& chunk, const raft::SnapshotRecord& snapshot,
                          const std::string& bytes) {
    const ReplicaRef replica{chunk.shard, chunk.to};
    const auto newest = stores_->snapshots->Newest(replica);
    if (!newest || !*newest || **newest != snapshot) return "a complete snapshot is the newest";
    const Index before = std::exchange(complete_[replica], snapshot.index);
    if (snapshot.index < before) return "snapshots only get newer";
    if (snapshot.index == before) return chunk.index <= before ? "" : "a newer snapshot is kept";
    if (snapshot.index != chunk.index) return "what is kept is what was sent";
    if (snapshot.image_bytes != bytes.size()) return "the length of an image";
    auto image = stores_->snapshots->Open(replica, snapshot.index);
    if (!image || ReadAll(**image) != bytes) return "the image is what was sent";
    return IsValidImage(bytes) ? std::string() : "an image that is kept is valid";
  }

  void Expire() {
    tick_ += input_.Below(4);
    const std::uint64_t limit = tick_ < 3 ? 0 : tick_ - 3;
    (void)receiver_.Expire(limit);
    std::erase_if(expected_, [&](const auto& stream) { return stream.second.tick < limit; });
  }

  Input& input_;
  std::unique_ptr<storage::Stores> stores_ =
      std::make_unique<storage::Stores>(storage::MakeMemoryStores());
  SnapshotReceiver receiver_{*stores_->snapshots, 1, kMaxStreams};
  std::array<Sender, 4> senders_;
  std::uint64_t tick_ = 0;
  std::map<ReplicaRef, Expected> expected_;
  std::map<ReplicaRef, Index> complete_;
};

}  // namespace

std::string FuzzChunkStream(std::string_view bytes) {
  if (std::string wrong = CheckChunk(bytes); !wrong.empty()) return wrong;
  Input input(bytes);
  return Session(input).Run();
}

}  // namespace drumbeat::fuzz
