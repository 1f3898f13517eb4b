// SPDX-License-Identifier: Apache-2.0
#include "transport/tcp_snapshot.h"

#include <exception>
#include <utility>

#include "codec/frame.h"

namespace drumbeat::transport {
namespace {

/// Short texts need no memory, for want of which most of these are.
Error Failure(const std::exception& error) { return {ErrorCode::kTerminated, error.what()}; }

}  // namespace

TcpSnapshot::TcpSnapshot(TcpContext& context, std::shared_ptr<TcpLink> link, std::string address,
                         std::unique_ptr<ChunkSource> chunks, Done done)
    : context_(context),
      link_(std::move(link)),
      address_(std::move(address)),
      chunks_(std::move(chunks)),
      done_(std::move(done)),
      timer_(context.io) {}

void TcpSnapshot::Start(Released released) {
  released_ = std::move(released);
  Perform(snapshot_.Start());
}

void TcpSnapshot::Stop(Error error) { Perform(snapshot_.Failed(std::move(error))); }

void TcpSnapshot::Perform(SnapshotStep step) {
  Try([&] { PerformNow(step); });
}

template <class Step>
void TcpSnapshot::Try(Step step) {
  try {
    step();
  } catch (const std::exception& error) {
    if (!done_) LogLost(context_, error);  // Nobody else is told any more.
    Stop(Failure(error));
    ReleaseIfUnused();
  }
}

void TcpSnapshot::PerformNow(SnapshotStep step) {
  switch (step) {
    case SnapshotStep::kNothing: break;
    case SnapshotStep::kDial: Dial(); break;
    case SnapshotStep::kFetch: Fetch(); break;
    case SnapshotStep::kPause: break;
    case SnapshotStep::kWrite: WriteSome(); break;
    case SnapshotStep::kPoison:
      frame_.EncodeRaw(codec::kPoison);
      WriteSome();
      break;
    case SnapshotStep::kFinish: return Finish();
  }
  WatchDeadline();
}

void TcpSnapshot::Dial() {
  const std::optional<HostPort> target = ParseAddress(address_, AddressSyntax::kIpv6Too);
  if (!target) return Stop({ErrorCode::kInvalidAddress, address_ + " is not a host:port address"});
  if (!link_->MayDial()) {
    return Stop({ErrorCode::kTerminated, address_ + " was not reached just now"});
  }
  dialer_ = Dialer::Start(
      context_, *target,
      [self = shared_from_this()](std::shared_ptr<Connection> connection, std::string reason) {
        self->Try([&] { self->OnDialed(std::move(connection), std::move(reason)); });
      });
}

void TcpSnapshot::OnDialed(std::shared_ptr<Connection> connection, std::string reason) {
  dialer_ = nullptr;
  link_->NoteDial(connection != nullptr);
  if (connection == nullptr) return Stop({ErrorCode::kTerminated, std::move(reason)});
  connection_ = std::move(connection);
  AwaitAnswer();
  Perform(snapshot_.Dialed());
}

void TcpSnapshot::Fetch() {
  asio::post(context_.chunks_out, [self = shared_from_this()]() mutable {
    Result<bool> more = false;
    try {
      more = self->FetchChunk();
    } catch (const std::exception& error) {
      more = std::unexpected(Failure(error));
    }
    asio::io_context& io = self->context_.io;
    PostMemory& way_back = self->way_back_;
    way_back.Post(io, [self = std::move(self), more = std::move(more)]() mutable {
      self->OnFetched(std::move(more));
    });
  });
  fetching_ = true;
}

Result<bool> TcpSnapshot::FetchChunk() {
  if (context_.stopping) return false;
  Result<std::optional<codec::Chunk>> chunk = chunks_->Next();
  if (!chunk) return std::unexpected(chunk.error());
  if (!*chunk) return false;
  frame_.Encode(**chunk, context_.stamp.check);
  return true;
}

void TcpSnapshot::OnFetched(Result<bool> more) {
  fetching_ = false;
  ReleaseIfUnused();
  if (!more) return Stop(std::move(more.error()));
  const Time now = context_.Now();
  if (!*more) return Perform(snapshot_.FetchedEnd(now));
  // Taken at once: others that wait get the times behind it, not the same one.
  const Time free_at = context_.send_bucket.free_at();
  context_.send_bucket.Take(frame_.rest().size(), now);
  Perform(snapshot_.FetchedChunk(now, free_at));
}

void TcpSnapshot::WriteSome() {
  connection_->WriteSome(frame_.rest(), [self = shared_from_this(), connection = connection_](
                                            const AsioError& error, std::size_t count) {
    if (connection == self->connection_) self->Try([&] { self->OnWritten(error, count); });
  });
}

void TcpSnapshot::OnWritten(const AsioError& error, std::size_t count) {
  if (error) return Stop({ErrorCode::kTerminated, "write: " + error.message()});
  frame_.Advance(count);
  if (frame_.done()) return Perform(snapshot_.Written(context_.Now()));
  snapshot_.Progress(context_.Now());
  WriteSome();
}

void TcpSnapshot::AwaitAnswer() {
  connection_->ReadSome(answer_, [self = shared_from_this(), connection = connection_](
                                     const AsioError& error, std::size_t count) {
    if (connection == self->connection_) self->Try([&] { self->OnAnswer(error, count); });
  });
}

void TcpSnapshot::OnAnswer(const AsioError& error, std::size_t count) {
  if (error) {
    return Stop({ErrorCode::kTerminated, "the receiver ended the connection: " + error.message()});
  }
  Perform(snapshot_.Received({answer_.data(), count}));
  if (connection_ != nullptr) AwaitAnswer();
}

void TcpSnapshot::WatchDeadline() {
  const std::optional<Time> deadline = snapshot_.deadline();
  if (!deadline) {
    timer_.cancel();
    return;
  }
  timer_.expires_at(*deadline);
  timer_.async_wait([self = shared_from_this()](const AsioError& stopped) {
    if (!stopped) self->Perform(self->snapshot_.Tick(self->context_.Now()));
  });
}

void TcpSnapshot::Finish() {
  timer_.cancel();
  if (dialer_ != nullptr) std::exchange(dialer_, nullptr)->Cancel();
  if (connection_ != nullptr) std::exchange(connection_, nullptr)->Close();
  if (Done done = std::exchange(done_, nullptr)) done(snapshot_.TakeResult());
  ReleaseIfUnused();
}

void TcpSnapshot::ReleaseIfUnused() {
  // Done and the source is in no other thread's hands.
  if (fetching_ || done_) return;
  chunks_ = nullptr;
  if (Released released = std::exchange(released_, nullptr)) released(shared_from_this());
}

}  // namespace drumbeat::transport
