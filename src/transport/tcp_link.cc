// SPDX-License-Identifier: Apache-2.0
#include "transport/tcp_link.h"

#include <cerrno>
#include <exception>
#include <sys/socket.h>
#include <system_error>
#include <thread>
#include <utility>

#include "base/random.h"

namespace drumbeat::transport {
namespace {

std::string Seconds(Duration duration) {
  const auto tenths = std::chrono::duration_cast<std::chrono::milliseconds>(duration).count() / 100;
  return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + " s";
}

std::string EndReason(const AsioError& error) {
  if (error == asio::error::eof || error == asio::ssl::error::stream_truncated) {
    return "closed by the other side";
  }
  return "connection: " + error.message();
}

constexpr Duration kUselessFor = std::chrono::seconds(2);

QueueLimits LimitsOf(const TcpOptions& options) {
  return {.max_bytes = options.max_send_queue_bytes,
          .max_messages = options.max_send_queue_messages};
}

}  // namespace

TcpLink::TcpLink(TcpContext& context, std::string address)
    : context_(context),
      address_(std::move(address)),
      target_(ParseAddress(address_, AddressSyntax::kIpv6Too)),
      link_(LimitsOf(context.options), base::SystemRandom()),
      timer_(context.io) {}

bool TcpLink::Send(raft::Envelope message) {
  base::MutexLock lock(mutex_);
  link_.Push(std::move(message), context_.Now());
  return !std::exchange(dirty_, true);
}

void TcpLink::Flush() {
  LinkActions actions;
  {
    base::MutexLock lock(mutex_);
    dirty_ = false;
    actions = link_.Flush(context_.Now());
  }
  if (actions.write && !context_.tls) {
    actions.write = false;
    WritePlain();
  }
  if (actions.write || actions.dial || actions.watch_deadline) Hand(std::move(actions));
}

void TcpLink::Heard() {
  LinkActions actions;
  {
    base::MutexLock lock(mutex_);
    actions = link_.Heard(context_.Now());
  }
  Perform(std::move(actions));
}

bool TcpLink::MayDial() {
  base::MutexLock lock(mutex_);
  return link_.breaker().Allows(context_.Now());
}

void TcpLink::NoteDial(bool reached) {
  base::MutexLock lock(mutex_);
  if (reached) {
    link_.breaker().Succeeded();
  } else {
    link_.breaker().Failed(context_.Now());
  }
}

bool TcpLink::Drained() {
  base::MutexLock lock(mutex_);
  return link_.Drained();
}

bool TcpLink::Forgettable() {
  base::MutexLock lock(mutex_);
  return link_.Forgettable(context_.Now());
}

bool TcpLink::Dispensable() {
  base::MutexLock lock(mutex_);
  return !dirty_ && link_.Dispensable();
}

void TcpLink::Close() {
  // Another thread that writes just now is done in a moment: its writes do not block.
  while (!CloseForWriters()) std::this_thread::yield();
  timer_.cancel();
  if (dialer_ != nullptr) std::exchange(dialer_, nullptr)->Cancel();
  CloseConnection();
}

bool TcpLink::CloseForWriters() {
  base::MutexLock lock(mutex_);
  closed_ = true;
  return !link_.writing() || descriptor_ < 0;
}

void TcpLink::Hand(LinkActions actions) {
  asio::post(context_.io, [self = shared_from_this(), actions = std::move(actions)]() mutable {
    self->Perform(std::move(actions));
  });
}

void TcpLink::Perform(LinkActions actions) {
  if (Closed()) return;
  if (actions.fail && connection_ != nullptr) FailConnection(connection_, std::move(*actions.fail));
  if (actions.close) CloseConnection();
  if (actions.dial) Dial();
  if (actions.write) context_.tls ? WriteSecure() : WritePlain();
  if (actions.watch_deadline) WatchDeadline();
  // Last, so that the link goes on when whoever is told throws.
  if (actions.up) Report(*actions.up);
  if (actions.down) Report(*actions.down);
}

void TcpLink::Dial() {
  const auto done = [self = shared_from_this()](std::shared_ptr<Connection> connection,
                                                std::string reason) {
    self->dialer_ = nullptr;
    self->OnDialed(std::move(connection), std::move(reason));
  };
  const auto fail = [&](const char* reason) {
    asio::post(context_.io, [done, reason] { done(nullptr, reason); });
  };
  try {
    if (!target_) {
      fail("not a host:port address");
    } else if (!TakePlace()) {
      fail("as many other hosts are connected as the limit of open files allows");
    } else {
      dialer_ = Dialer::Start(context_, *target_, done);
    }
  } catch (const std::exception&) {
    OnDialed(nullptr, "out of memory");
  }
}

bool TcpLink::TakePlace() {
  if (context_.links_out.size() >= context_.max_links_out) MakeRoom();
  if (context_.links_out.size() >= context_.max_links_out) return false;
  dialed_at_ = context_.Now();
  context_.links_out.insert(this);
  context_.links_dialing.emplace(dialed_at_, this);
  return true;
}

void TcpLink::ReturnPlace() {
  context_.links_dialing.erase({dialed_at_, this});
  context_.links_out.erase(this);
}

// Members are reached at once, and are sent heartbeats, unless they sleep.
void TcpLink::MakeRoom() {
  const Time now = context_.Now();
  Time since = now - kUselessFor;
  if (!context_.links_dialing.empty() && context_.links_dialing.begin()->first <= since) {
    return context_.links_dialing.begin()->second->LeavePlace();
  }
  if (now - context_.idle_looked_for_at < kUselessFor / 10) return;
  context_.idle_looked_for_at = now;
  TcpLink* idle = nullptr;
  for (TcpLink* const other : context_.links_out) {
    const std::optional<Time> its = other->IdleSince();
    if (!its || *its > since) continue;
    since = *its;
    idle = other;
  }
  if (idle != nullptr) idle->LeavePlace();
}

std::optional<Time> TcpLink::IdleSince() {
  base::MutexLock lock(mutex_);
  return link_.IdleSince();
}

void TcpLink::LeavePlace() {
  const auto self = shared_from_this();
  if (dialer_ != nullptr) {
    // Told later, when the place is somebody else's: it may want to dial again at once.
    asio::post(context_.io, [self] { self->OnDialed(nullptr, "it made room for others"); });
    std::exchange(dialer_, nullptr)->Cancel();
    return ReturnPlace();
  }
  LinkActions actions;
  {
    base::MutexLock lock(mutex_);
    actions = link_.CloseIdle();
  }
  Perform(std::move(actions));
}

void TcpLink::OnDialed(std::shared_ptr<Connection> connection, std::string reason) {
  if (Closed()) return;
  context_.links_dialing.erase({dialed_at_, this});
  if (connection == nullptr) ReturnPlace();
  LinkActions actions;
  {
    base::MutexLock lock(mutex_);
    const Time now = context_.Now();
    failure_.reset();
    if (connection == nullptr) {
      actions = link_.DialFailed(std::move(reason), now);
    } else {
      descriptor_ = connection->secure() ? -1 : connection->descriptor();
      actions = link_.Dialed(now);
    }
  }
  connection_ = std::move(connection);
  if (connection_ != nullptr) WatchForEnd(connection_);
  Perform(std::move(actions));
}

void TcpLink::CloseConnection() {
  {
    base::MutexLock lock(mutex_);
    descriptor_ = -1;
  }
  if (connection_ != nullptr) std::exchange(connection_, nullptr)->Close();
  ReturnPlace();
}

void TcpLink::FailConnection(const std::shared_ptr<Connection>& connection, std::string reason) {
  if (connection != connection_ || Closed()) return;
  LinkActions actions;
  {
    base::MutexLock lock(mutex_);
    if (link_.writing()) {
      // Whoever writes comes back here when the write is over.
      if (!failure_) failure_ = std::move(reason);
    } else {
      actions = link_.Lost(failure_ ? std::move(*failure_) : std::move(reason), context_.Now());
      failure_.reset();
    }
  }
  if (!actions.close && connection->secure()) connection->Close();  // Ends the write under way.
  Perform(std::move(actions));
}

void TcpLink::WatchForEnd(const std::shared_ptr<Connection>& connection) {
  connection->ReadSome(
      unexpected_, [self = shared_from_this(), connection](const AsioError& error, std::size_t) {
        self->FailConnection(connection, error ? EndReason(error) : "unexpected bytes came back");
      });
}

void TcpLink::WatchDeadline() {
  std::optional<Time> deadline;
  {
    base::MutexLock lock(mutex_);
    if (!closed_) deadline = link_.deadline();
  }
  // A timer that is due earlier looks again when it fires.
  if (!deadline || (timer_at_ && *timer_at_ <= *deadline)) return;
  timer_at_ = deadline;
  timer_.expires_at(*deadline);
  timer_.async_wait([self = shared_from_this()](const AsioError& stopped) {
    if (stopped) return;
    self->timer_at_.reset();
    LinkActions actions;
    {
      base::MutexLock lock(self->mutex_);
      actions = self->link_.Tick(self->context_.Now());
    }
    actions.watch_deadline = true;
    self->Perform(std::move(actions));
  });
}

void TcpLink::Report(const LinkUp& up) {
  if (context_.stopping) return;
  if (up.log) {
    if (up.away) {
      context_.logger.Info(address_ + " is reached again after " + Seconds(*up.away));
    }
    context_.logger.Info("raft TCP stream from " + logging::Name(up.ends.shard, up.ends.from) +
                         " to " + logging::Name(up.ends.shard, up.ends.to) + " established");
  }
  if (up.tell) context_.handler->OnConnected(address_);
}

void TcpLink::Report(const LinkDown& down) {
  if (context_.stopping) return;
  if (down.log) {
    context_.logger.Warning("breaker " + address_ +
                            " failed, connect and process failed: " + down.reason);
  }
  if (down.tell) context_.handler->OnUnreachable(address_, down.reason);
}

bool TcpLink::Closed() {
  base::MutexLock lock(mutex_);
  return closed_;
}

bool TcpLink::BeginWrite(int& descriptor) {
  base::MutexLock lock(mutex_);
  descriptor = descriptor_;
  return !closed_ && !failure_ && link_.BeginWrite();
}

bool TcpLink::PrepareFrame() {
  NextWrite next = NextWrite::kNothing;
  bool failed = false;
  try {
    next = NextFrame(failed);
  } catch (const std::exception&) {
    DropFrame();
    return false;
  }
  if (failed) HandFailure();
  return next != NextWrite::kNothing;
}

NextWrite TcpLink::NextFrame(bool& failed) {
  NextWrite next;
  {
    base::MutexLock lock(mutex_);
    next = link_.NextToWrite(batch_, context_.Now());
    failed = next == NextWrite::kNothing && failure_;
  }
  if (next == NextWrite::kEncode) {
    frame_.Encode(batch_, context_.stamp);
    batch_.clear();
  } else if (next == NextWrite::kRepeat) {
    frame_.Rewind();
  }
  return next;
}

void TcpLink::DropFrame() {
  batch_.clear();
  frame_.Trim();
  {
    base::MutexLock lock(mutex_);
    link_.DropFrame();
  }
  // So that whoever waits for an answer hears of it. Short enough to need no memory itself.
  EndWrite("out of memory");
}

void TcpLink::WroteFrame() {
  frame_.Trim();
  base::MutexLock lock(mutex_);
  link_.WroteFrame(context_.Now());
}

void TcpLink::EndWrite(std::string reason) {
  {
    base::MutexLock lock(mutex_);
    link_.EndWrite();
    if (!failure_) failure_ = std::move(reason);
  }
  HandFailure();
}

void TcpLink::HandFailure() {
  asio::post(context_.io, [self = shared_from_this()] {
    {
      base::MutexLock lock(self->mutex_);
      if (!self->failure_) return;  // Another connection stands by now.
    }
    if (self->connection_ != nullptr) self->FailConnection(self->connection_, {});
  });
}

void TcpLink::WritePlain() {
  int descriptor = -1;
  if (!BeginWrite(descriptor)) return;
  while (PrepareFrame()) {
    bool progressed = false;
    while (!frame_.done()) {
      const std::string_view rest = frame_.rest();
      const ssize_t count =
          ::send(descriptor, rest.data(), rest.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
      if (count < 0 && errno == EINTR) continue;
      if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return AwaitWritable(progressed);
      if (count < 0) return EndWrite("write: " + std::generic_category().message(errno));
      frame_.Advance(static_cast<std::size_t>(count));
      progressed = true;
    }
    WroteFrame();
  }
}

void TcpLink::AwaitWritable(bool progressed) {
  {
    base::MutexLock lock(mutex_);
    const Time now = context_.Now();
    if (progressed) link_.Wrote(now);
    link_.Blocked(now);
  }
  asio::post(context_.io, [self = shared_from_this()] {
    if (self->connection_ == nullptr) return;
    self->HandFailure();
    self->WatchDeadline();
    self->connection_->socket().async_wait(
        Tcp::socket::wait_write, [self, connection = self->connection_](const AsioError& error) {
          if (error || connection != self->connection_) return;
          {
            base::MutexLock lock(self->mutex_);
            self->link_.Writable();
          }
          self->WritePlain();
        });
  });
}

void TcpLink::WriteSecure() {
  int unused = -1;
  if (BeginWrite(unused) && PrepareFrame()) WriteSecureSome();
}

void TcpLink::WriteSecureSome() {
  if (connection_ == nullptr) return EndWrite("closed");
  {
    base::MutexLock lock(mutex_);
    link_.Stalled(context_.Now());
  }
  WatchDeadline();
  connection_->WriteSome(frame_.rest(), [self = shared_from_this(), connection = connection_](
                                            const AsioError& error, std::size_t count) {
    if (error) return self->EndWrite("write: " + error.message());
    self->frame_.Advance(count);
    if (self->frame_.done()) {
      self->WroteFrame();
      if (!self->PrepareFrame()) return;
    } else {
      base::MutexLock lock(self->mutex_);
      self->link_.Wrote(self->context_.Now());
    }
    self->WriteSecureSome();
  });
}

}  // namespace drumbeat::transport
