// SPDX-License-Identifier: Apache-2.0
#include "simulation/sim_network.h"

#include <functional>
#include <optional>

#include "codec/chunk.h"
#include "codec/message_batch.h"
#include "simulation/sim_stream.h"

namespace drumbeat::simulation {

class SimTransport : public transport::Transport {
 public:
  SimTransport(SimNetwork& network, std::string address)
      : network_(network), address_(std::move(address)) {}
  ~SimTransport() override { Stop(); }

  Result<void> Start(transport::TransportHandler& handler) override {
    handler_ = &handler;
    network_.Enter(address_, this);
    return {};
  }

  void Stop() override {
    if (handler_ == nullptr) return;
    handler_ = nullptr;
    network_.Leave(address_, this);
    for (const auto& stream : std::exchange(streams_, {})) {
      stream->done(Fail(ErrorCode::kClosed));
      stream->over = true;
    }
  }

  void Send(const std::string& address, raft::Envelope message) override {
    if (network_.IsSilent(address_)) return;
    if (network_.observer) network_.observer(message);
    Batch& batch = queued_[address];
    batch.once |= std::holds_alternative<raft::ForwardedProposal>(message.message);
    codec::AppendMessage(batch.bytes, message);
  }

  void Flush() override {
    if (network_.IsSilent(address_)) return;
    for (auto& [address, batch] : std::exchange(queued_, {})) {
      codec::AppendBatchTrailer(batch.bytes, 1, address_);
      network_.Judge(address_, address, batch.bytes, false);
      network_.Carry(address_, address, batch.bytes, batch.once);
    }
  }

  void SendSnapshot(const std::string& address, std::unique_ptr<transport::ChunkSource> chunks,
                    std::function<void(Result<void>)> done) override {
    auto stream = std::make_shared<Stream>();
    stream->address = address;
    stream->chunks = std::move(chunks);
    stream->done = std::move(done);
    streams_.insert(stream);
    NextChunk(stream);
  }

  std::string listen_address() const override { return address_; }

  static SimTransport& At(SimNetwork& network, const std::string& address) {
    return static_cast<SimTransport&>(*network.Find(address));
  }
  void Receive(const std::string& batch) {
    Result<codec::MessageBatch> decoded = codec::DecodeMessageBatch(base::Bytes::Copy(batch));
    if (!decoded || decoded->refused > 0) throw Violation("a host sent what no host may send");
    handler_->OnMessages(decoded->source_address, std::move(decoded->messages));
  }
  bool ReceiveChunk(const std::string& bytes) {
    Result<codec::Chunk> chunk = codec::DecodeChunk(base::Bytes::Copy(bytes));
    if (!chunk) throw Violation("a host sent a chunk that cannot be decoded");
    return handler_->OnChunk(std::move(*chunk));
  }

 private:
  struct Batch {
    std::string bytes;
    bool once = false;
  };
  struct Stream {
    std::string address;
    std::unique_ptr<transport::ChunkSource> chunks;
    std::function<void(Result<void>)> done;
    std::optional<ShardId> shard;  // known from the first chunk on
    bool over = false;
  };

  /// To the receiver a second stream is the first one begun anew, and either would end the other.
  void CheckAlone(const std::shared_ptr<Stream>& stream, ShardId shard) {
    stream->shard = shard;
    for (const auto& other : streams_) {
      if (other != stream && other->address == stream->address && other->shard == shard) {
        network_.world_.Broken("two snapshots at once to " + other->address);
      }
    }
  }

  void NextChunk(const std::shared_ptr<Stream>& stream) {
    network_.world_.After(network_.Delay() + network_.chunk_delay, [this, stream] {
      if (stream->over) return;
      Result<std::optional<codec::Chunk>> chunk = stream->chunks->Next();
      if (!chunk) return End(stream, std::unexpected(chunk.error()));
      if (!*chunk) return End(stream, {});
      CheckAlone(stream, (*chunk)->shard);
      const std::string bytes = codec::EncodeChunk(**chunk);
      network_.Judge(address_, stream->address, bytes, true);
      if (!network_.Reaches(address_, stream->address) ||
          !At(network_, stream->address).ReceiveChunk(bytes)) {
        return End(stream, Fail(ErrorCode::kAborted, "the stream broke"));
      }
      NextChunk(stream);
    });
  }

  void End(const std::shared_ptr<Stream>& stream, Result<void> result) {
    stream->over = true;
    streams_.erase(stream);
    stream->done(std::move(result));
  }

  SimNetwork& network_;
  const std::string address_;
  transport::TransportHandler* handler_ = nullptr;
  std::map<std::string, Batch> queued_;
  std::set<std::shared_ptr<Stream>> streams_;
};

std::unique_ptr<transport::Transport> SimNetwork::Join(const std::string& address) {
  if (streams) return MakeStreamTransport(*this, address);
  return std::make_unique<SimTransport>(*this, address);
}

void SimNetwork::Enter(const std::string& address, transport::Transport* host) {
  silent_.erase(address);
  hosts_[address] = {.transport = host, .incarnation = ++incarnations_};
}

void SimNetwork::Leave(const std::string& address, transport::Transport* host) {
  if (Find(address) == host) hosts_.erase(address);
}

transport::Transport* SimNetwork::Find(const std::string& address) const {
  const auto found = hosts_.find(address);
  return found == hosts_.end() ? nullptr : found->second.transport;
}

std::uint64_t SimNetwork::IncarnationOf(const std::string& address) const {
  const auto found = hosts_.find(address);
  return found == hosts_.end() ? 0 : found->second.incarnation;
}

bool SimNetwork::Reaches(const std::string& from, const std::string& to) {
  if (!hosts_.contains(to)) return false;
  if (IsCut(from, to)) {
    world_.Count(Happening::kCut);
    return false;
  }
  if (!world_.Chance(faults.loss_percent)) return true;
  world_.Count(Happening::kLoss);
  return false;
}

void SimNetwork::Judge(const std::string& from, const std::string& to, std::string_view bytes,
                       bool chunk) {
  if (!refereed) return;
  const auto broken = chunk ? referee.Chunk(from, to, bytes) : referee.Batch(from, to, bytes);
  if (!broken) return;
  world_.Broken(from + " sent what ends a Dragonboat process: " + std::string(NameOf(*broken)));
}

microseconds SimNetwork::Delay() {
  if (world_.Chance(faults.slow_percent)) {
    world_.Count(Happening::kDelay);
    return world_.Between(microseconds(100), faults.slow);
  }
  return world_.Between(microseconds(100), microseconds(1500));
}

void SimNetwork::Carry(const std::string& from, const std::string& to, const std::string& batch,
                       bool once) {
  // A proposal that is passed on twice may be applied twice. TCP never does that, and the transport
  // repeats a frame only while it cannot have arrived whole.
  const int copies = !once && world_.Chance(faults.duplicate_percent) ? 2 : 1;
  if (copies > 1) world_.Count(Happening::kDuplicate);
  for (int copy = 0; copy < copies; ++copy) {
    world_.After(Delay() + Busy(from), [this, from, to, batch] {
      // Decided on arrival, so that a cut also swallows what is on its way.
      if (!Reaches(from, to)) return;
      world_.Trace(std::hash<std::string>()(batch) ^ std::hash<std::string>()(to));
      SimTransport::At(*this, to).Receive(batch);
    });
  }
}

}  // namespace drumbeat::simulation
