// SPDX-License-Identifier: Apache-2.0
#include "node_host/snapshot_receiver.h"

#include <optional>
#include <string>
#include <utility>

#include "raft/message_check.h"

namespace drumbeat::node_host {
namespace {

/// Why a chunk cannot belong to any snapshot that we take.
std::optional<std::string> WhyUnfit(const codec::Chunk& chunk, std::uint64_t deployment_id) {
  if (chunk.deployment_id != deployment_id) return "it is of another deployment";
  if (chunk.bin_version != codec::kBinVersion) return "its transport version differs";
  if (chunk.has_file_info) return "it belongs to an external file, which this version cannot take";
  if (!chunk.index || !chunk.term) return "it has no index or term";
  // A replica that ignores such a snapshot would find it after a restart all the same.
  if (chunk.index.value() >= raft::kCountLimit || chunk.term.value() >= raft::kCountLimit) {
    return "its index or term is beyond all bounds";
  }
  const Membership& members = chunk.membership;
  if (chunk.chunk_id == 0 && (members.config_change_id == 0 || members.voters.empty())) {
    return "it has no membership";
  }
  return std::nullopt;
}

}  // namespace

Result<SnapshotReceiver::Step> SnapshotReceiver::Add(const codec::Chunk& chunk,
                                                     const Situation& situation) {
  const ReplicaRef replica{chunk.shard, chunk.to};
  std::shared_ptr<Stream> stream = Find(chunk);
  if (const std::optional<std::string> why = WhyUnfit(chunk, deployment_id_)) {
    Forget(replica, stream);
    return Fail(ErrorCode::kInvalidArgument, *why);
  }
  if (chunk.chunk_id == 0) {
    Result<std::shared_ptr<Stream>> begun = Begin(chunk, situation);
    if (!begun) return std::unexpected(begun.error());
    stream = std::move(*begun);
  } else if (stream == nullptr) {
    return Fail(ErrorCode::kNotFound, "its stream is not known");
  } else if (chunk.chunk_id != stream->next_chunk) {
    // What a connection that was given up has left may come behind the start of the next one.
    return Fail(ErrorCode::kInvalidArgument, "it is not the next chunk of its stream");
  } else {
    GoesOn(replica, situation.now_tick);
  }
  Result<Step> step = Append(*stream, chunk, situation.committed);
  if (!step || step->progress == Progress::kComplete) Forget(replica, stream);
  return step;
}

Result<std::shared_ptr<SnapshotReceiver::Stream>> SnapshotReceiver::Begin(
    const codec::Chunk& chunk, const Situation& situation) {
  const ReplicaRef replica{chunk.shard, chunk.to};
  Result<std::unique_ptr<storage::SnapshotSink>> sink = store_.Create(replica);
  if (!sink) return std::unexpected(sink.error());
  auto stream = std::make_shared<Stream>();
  stream->from = chunk.from;
  stream->record.index = chunk.index;
  stream->record.term = chunk.term;
  stream->record.membership = chunk.membership;
  stream->record.on_disk_index = chunk.on_disk_index;
  stream->record.witness = chunk.witness;
  stream->sink = std::move(*sink);
  stream->validator = codec::ImageValidator::Make();
  std::shared_ptr<Stream> replaced;  // destroyed outside the lock: it deletes files
  const base::MutexLock lock(mutex_);
  const auto known = streams_.find(replica);
  if (known != streams_.end()) {
    const bool same = known->second.stream->from == chunk.from;
    if (!same && chunk.from != situation.leader) {
      return Fail(ErrorCode::kBusy, "another member's arrives");
    }
    replaced = std::exchange(known->second.stream, stream);
    known->second.last_tick = situation.now_tick;
    return stream;
  }
  if (streams_.size() >= max_streams_) {
    return Fail(ErrorCode::kBusy, "too many snapshots arrive at once");
  }
  streams_[replica] = {.stream = stream, .last_tick = situation.now_tick};
  return stream;
}

Result<SnapshotReceiver::Step> SnapshotReceiver::Append(Stream& stream, const codec::Chunk& chunk,
                                                        Index committed) {
  ++stream.next_chunk;
  stream.bytes += chunk.data.size();
  if (Result<void> good = stream.validator->Add(chunk.data.view()); !good) {
    return std::unexpected(good.error());
  }
  if (Result<void> kept = stream.sink->Append(chunk.data.view()); !kept) {
    return std::unexpected(kept.error());
  }
  if (!IsLast(chunk)) return Step{};
  if (Result<void> good = stream.validator->Finish(); !good) return std::unexpected(good.error());
  return Complete(stream, ReplicaRef{chunk.shard, chunk.to}, committed);
}

// A leader that did not hear that one has arrived sends it again. Refusing that would make it do so
// for ever; the replica's answer, to whichever snapshot, tells it where to go on.
Result<SnapshotReceiver::Step> SnapshotReceiver::Complete(Stream& stream, const ReplicaRef& replica,
                                                          Index committed) {
  stream.record.image_bytes = stream.bytes;
  Step step{.progress = Progress::kComplete, .snapshot = stream.record};
  if (stream.record.index <= committed) return step;
  Result<void> durable = stream.sink->Commit(stream.record);
  if (durable) return step;
  if (durable.error().code != ErrorCode::kNothingToDo) return std::unexpected(durable.error());
  const Result<std::optional<raft::SnapshotRecord>> newest = store_.Newest(replica);
  if (!newest) return std::unexpected(newest.error());
  if (!*newest) return std::unexpected(durable.error());
  step.snapshot = **newest;
  return step;
}

void SnapshotReceiver::GoesOn(const ReplicaRef& replica, std::uint64_t tick) {
  const base::MutexLock lock(mutex_);
  if (const auto found = streams_.find(replica); found != streams_.end()) {
    found->second.last_tick = tick;
  }
}

std::shared_ptr<SnapshotReceiver::Stream> SnapshotReceiver::Find(const codec::Chunk& chunk) {
  const base::MutexLock lock(mutex_);
  const auto found = streams_.find({chunk.shard, chunk.to});
  if (found == streams_.end()) return nullptr;
  const Stream& stream = *found->second.stream;
  if (stream.from != chunk.from || stream.record.index != chunk.index) return nullptr;
  return found->second.stream;
}

void SnapshotReceiver::Forget(const ReplicaRef& replica, const std::shared_ptr<Stream>& stream) {
  std::shared_ptr<Stream> gone;  // destroyed outside the lock: it deletes files
  const base::MutexLock lock(mutex_);
  const auto found = streams_.find(replica);
  if (found == streams_.end() || found->second.stream != stream) return;
  gone = std::move(found->second.stream);
  streams_.erase(found);
}

std::vector<std::shared_ptr<void>> SnapshotReceiver::Expire(std::uint64_t tick) {
  std::vector<std::shared_ptr<void>> gone;
  const base::MutexLock lock(mutex_);
  for (auto stream = streams_.begin(); stream != streams_.end();) {
    if (stream->second.last_tick < tick) {
      gone.push_back(std::move(stream->second.stream));
      stream = streams_.erase(stream);
    } else {
      ++stream;
    }
  }
  return gone;
}

std::vector<std::shared_ptr<void>> SnapshotReceiver::Drop(const ReplicaRef& replica) {
  std::vector<std::shared_ptr<void>> gone;
  const base::MutexLock lock(mutex_);
  const auto found = streams_.find(replica);
  if (found == streams_.end()) return gone;
  gone.push_back(std::move(found->second.stream));
  streams_.erase(found);
  return gone;
}

}  // namespace drumbeat::node_host
