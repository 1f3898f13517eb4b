// SPDX-License-Identifier: Apache-2.0
#include "transport/tcp_incoming.h"

#include <algorithm>
#include <array>
#include <span>
#include <sys/socket.h>
#include <utility>

#include "codec/message_batch.h"

namespace drumbeat::transport {
namespace {

constexpr int kKeepaliveSeconds = 20;
constexpr Duration kTurnCheck = std::chrono::milliseconds(50);
/// Far above any host name with a port.
constexpr std::size_t kMaxSourceBytes = 512;

IncomingConnection::Limits LimitsOf(const TcpContext& context) {
  return {.max_frame_bytes = context.options.max_frame_bytes, .check = context.stamp.check};
}

/// Why a batch or chunk with these marks is not for us; empty when it is.
std::string WhyForeign(const TcpContext& context, std::uint64_t deployment_id,
                       std::uint32_t bin_version) {
  if (deployment_id != context.options.deployment_id) {
    return "its deployment id is " + std::to_string(deployment_id) + ", ours " +
           std::to_string(context.options.deployment_id);
  }
  if (bin_version != codec::kBinVersion) {
    return "its transport version is " + std::to_string(bin_version) + ", ours " +
           std::to_string(codec::kBinVersion);
  }
  return {};
}

}  // namespace

TcpIncoming::TcpIncoming(TcpContext& context, std::shared_ptr<Connection> connection,
                         std::shared_ptr<ReceiveBudget> budget,
                         std::function<void(TcpIncoming*)> closed)
    : context_(context),
      connection_(std::move(connection)),
      budget_(std::move(budget)),
      closed_(std::move(closed)),
      incoming_(LimitsOf(context), *budget_),
      place_{.source = connection_->source(), .last_used = context.Now()},
      timer_(context.io) {}

// Of a chunk that never got its turn.
TcpIncoming::~TcpIncoming() { budget_->Return(held_bytes_); }

void TcpIncoming::Start() {
  connection_->SetOptions(kKeepaliveSeconds);
  Try([this] { connection_->secure() ? Handshake() : Read(); });
}

void TcpIncoming::Close() {
  closed_ = nullptr;
  End(false);
}

template <class Step>
void TcpIncoming::Try(Step step) {
  try {
    step();
  } catch (const std::exception& error) {
    End(true);
    LogLost(context_, error);
  }
}

void TcpIncoming::Handshake() {
  place_.shaking_hands = true;
  timer_.expires_after(kHandshakeLimit);
  timer_.async_wait([self = shared_from_this()](const AsioError& stopped) {
    if (stopped || !self->place_.shaking_hands) return;
    self->Try([&] { self->WarnAndReset("TLS handshake: not done in 10 s"); });
  });
  connection_->Handshake([self = shared_from_this()](const AsioError& error) {
    if (!self->connection_->socket().is_open()) return;
    self->place_.shaking_hands = false;
    self->timer_.cancel();
    self->Try([&] {
      if (!error) return self->Read();
      self->WarnAndReset(HandshakeFailure(self->connection_->ssl(), error));
    });
  });
}

void TcpIncoming::Read() {
  WatchDeadline();
  connection_->AwaitRead([self = shared_from_this()](const AsioError& error) {
    if (error) return self->End(false);
    self->Try([&] { self->ReadNow(); });
  });
}

void TcpIncoming::ReadNow() {
  if (!connection_->socket().is_open()) return;
  // A payload under way goes to its place, whatever is behind it to the shared buffer.
  const std::span<char> space = incoming_.Space();
  std::array<char, TcpContext::kReadBufferBytes>& shared = context_.read_buffer->bytes;
  AsioError error;
  const std::size_t got = connection_->ReadNow(space, shared, error);
  if (got == 0) return error == asio::error::would_block ? Read() : End(false);
  const std::size_t placed = std::min(got, space.size());
  if (placed > 0) incoming_.Filled(placed, context_.Now());
  Process({shared.data(), got - placed});
}

void TcpIncoming::Process(std::string_view bytes) {
  while (true) {
    Arrival arrival = incoming_.Take(bytes, context_.Now());
    if (arrival.kind == Arrival::Kind::kNothing) {
      const Time now = context_.Now();
      if (incoming_.InChunk() && !HasTurn(now)) return AwaitTurn(now + kTurnLimit);
      return Read();
    }
    if (!Handle(std::move(arrival), bytes)) return;
  }
}

bool TcpIncoming::Handle(Arrival arrival, std::string_view rest) {
  switch (arrival.kind) {
    case Arrival::Kind::kNothing: return true;
    case Arrival::Kind::kPoison: Confirm(); return false;
    case Arrival::Kind::kBroken: WarnAndReset(arrival.reason); return false;
    case Arrival::Kind::kFrame: break;
  }
  if (arrival.method == codec::FrameMethod::kMessageBatch) return HandleBatch(arrival.payload);
  HandleChunk(arrival.payload, rest);
  return false;
}

bool TcpIncoming::HandleBatch(const base::Bytes& payload) {
  Result<codec::MessageBatch> batch = codec::DecodeMessageBatch(payload);
  if (!batch || batch->source_address.size() > kMaxSourceBytes) {
    WarnAndReset(batch ? "the source address is too long" : std::string(batch.error().text()));
    return false;
  }
  const std::string foreign = WhyForeign(context_, batch->deployment_id, batch->bin_version);
  if (!foreign.empty()) {
    WarnOfStranger(context_, "dropped messages of " + batch->source_address + " (" +
                                 connection_->remote() + "): " + foreign);
    return true;
  }
  place_.known = true;
  place_.last_used = context_.Now();
  if (incoming_.frames() == 1 && !context_.stopping) context_.heard_from(batch->source_address);
  if (batch->refused > 0) {
    WarnOfStranger(context_, "dropped " + std::to_string(batch->refused) +
                                 " malformed messages of " + batch->source_address + " (" +
                                 connection_->remote() + ")");
  }
  if (!batch->messages.empty() && !context_.stopping) {
    context_.handler->OnMessages(batch->source_address, std::move(batch->messages));
  }
  return true;
}

void TcpIncoming::HandleChunk(const base::Bytes& payload, std::string_view rest) {
  Result<codec::Chunk> chunk = codec::DecodeChunkHead(payload);
  if (!chunk) return WarnAndReset(std::string(chunk.error().text()));
  const std::string foreign = WhyForeign(context_, chunk->deployment_id, chunk->bin_version);
  if (!foreign.empty()) return WarnAndReset("refused a snapshot: " + foreign);
  place_.known = true;
  place_.last_used = context_.Now();
  const std::size_t held = payload.size() + rest.size();
  if (!budget_->Take(held)) {
    return WarnAndReset("refused a snapshot: too many pieces of snapshots wait");
  }
  held_bytes_ = held;
  chunk_bytes_ = payload.size();
  last_chunk_ = codec::IsLast(*chunk);
  rest_ = rest;
  place_.has_snapshot = true;
  const Time now = context_.Now();
  if (HasTurn(now)) return HandOn(std::move(*chunk));
  early_chunk_ = std::move(*chunk);
  AwaitTurn(now + kTurnLimit);
}

void TcpIncoming::HandOn(codec::Chunk chunk) {
  handed_on_at_ = context_.Now();
  asio::post(context_.chunks_in, [self = shared_from_this(), piece = std::move(chunk)]() mutable {
    bool accepted = false;
    try {
      accepted = !self->context_.stopping && self->context_.handler->OnChunk(std::move(piece));
    } catch (const std::exception& error) {
      LogLost(self->context_, error);
    }
    asio::io_context& io = self->context_.io;
    PostMemory& way_back = self->way_back_;
    way_back.Post(io, [self = std::move(self), accepted] {
      self->Try([&] { self->OnChunkHandled(accepted); });
    });
  });
}

void TcpIncoming::OnChunkHandled(bool accepted) {
  budget_->Return(std::exchange(held_bytes_, 0));
  if (!connection_->socket().is_open()) return;
  if (!accepted) return End(true);
  const Time now = context_.Now();
  place_.last_used = now;
  chunk_accepted_ = true;
  // Without a turn this was a first chunk beside others, and would slow down those that have one.
  const bool counts = context_.receive_turns.Take(this, now);
  if (counts) context_.receive_turns.Handled(now - handed_on_at_, now);
  if (counts) context_.receive_bucket.Take(chunk_bytes_, now);
  const auto go_on = [self = shared_from_this()](const AsioError& stopped) {
    if (stopped || !self->connection_->socket().is_open()) return;
    self->timer_at_.reset();
    const std::string rest = std::move(self->rest_);
    self->Try([&] { self->Process(rest); });
  };
  // Behind the last one comes only the end, for whose confirmation the sender waits.
  if (!counts || last_chunk_ || context_.receive_bucket.Free(now)) return go_on({});
  timer_.expires_at(context_.receive_bucket.free_at());
  timer_.async_wait(go_on);
}

// A stranger must not take a turn: only whose chunks are accepted does.
bool TcpIncoming::HasTurn(Time now) {
  return chunk_accepted_ ? context_.receive_turns.Take(this, now)
                         : context_.receive_turns.Free(this, now);
}

void TcpIncoming::AwaitTurn(Time limit) {
  awaits_turn_ = true;
  timer_at_.reset();
  timer_.expires_after(kTurnCheck);
  timer_.async_wait([self = shared_from_this(), limit](const AsioError& stopped) {
    if (stopped || !self->connection_->socket().is_open()) return;
    self->Try([&] { self->LookForTurn(limit); });
  });
}

void TcpIncoming::LookForTurn(Time limit) {
  const Time now = context_.Now();
  if (HasTurn(now)) {
    awaits_turn_ = false;
    if (early_chunk_) {
      codec::Chunk chunk = std::move(*early_chunk_);
      early_chunk_.reset();
      return HandOn(std::move(chunk));
    }
    incoming_.Resume(now);
    return Read();
  }
  if (now < limit) return AwaitTurn(limit);
  WarnAndReset(
      "refused a snapshot: others take all that snapshot_receive_bytes_per_second or the "
      "disk allows");
}

void TcpIncoming::Confirm() {
  if (!connection_->secure()) {
    // Nothing was ever written before: there is room for two bytes.
    static_cast<void>(::send(connection_->descriptor(), codec::kPoison.data(),
                             codec::kPoison.size(), MSG_DONTWAIT | MSG_NOSIGNAL));
    return End(false);
  }
  connection_->WriteSome(codec::kPoison, [self = shared_from_this()](
                                             const AsioError&, std::size_t) { self->End(false); });
}

void TcpIncoming::WatchDeadline() {
  const std::optional<Time> deadline = incoming_.deadline();
  // A timer that is due earlier looks again when it fires.
  if (!deadline || (timer_at_ && *timer_at_ <= *deadline)) return;
  timer_at_ = deadline;
  timer_.expires_at(*deadline);
  timer_.async_wait([self = shared_from_this()](const AsioError& stopped) {
    if (stopped || !self->connection_->socket().is_open()) return;
    // It may have run out just before the timer was set for the turn.
    if (self->awaits_turn_) return;
    self->timer_at_.reset();
    self->Try([&] {
      const std::optional<Time> due = self->incoming_.deadline();
      if (due && *due <= self->context_.Now()) return self->WarnAndReset("a frame took too long");
      self->WatchDeadline();
    });
  });
}

void TcpIncoming::WarnAndReset(const std::string& reason) {
  WarnOfStranger(context_, "closed the connection from " + connection_->remote() + ": " + reason);
  End(true);
}

void TcpIncoming::End(bool reset) {
  if (!connection_->socket().is_open()) return;
  timer_.cancel();
  context_.receive_turns.Release(this);
  reset ? connection_->Reset() : connection_->Close();
  if (closed_) std::exchange(closed_, nullptr)(this);
}

}  // namespace drumbeat::transport
