// SPDX-License-Identifier: Apache-2.0
#include "simulation/sim_stream.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "codec/chunk.h"
#include "codec/message_batch.h"
#include "simulation/sim_pipe.h"
#include "transport/incoming_connection.h"
#include "transport/outgoing_frame.h"
#include "transport/outgoing_link.h"
#include "transport/outgoing_snapshot.h"

namespace drumbeat::simulation {
namespace {

using std::chrono::milliseconds;
using transport::Arrival;
using transport::LinkActions;
using transport::NextWrite;
using transport::SnapshotStep;

/// What a socket takes before its peer has read some of it.
constexpr std::size_t kSocketBytes = 64u << 10;
constexpr microseconds kDialLimit = std::chrono::seconds(5);

transport::Time Now(const World& world) { return transport::Time(world.now()); }

}  // namespace

class StreamTransport : public transport::Transport {
 public:
  StreamTransport(SimNetwork& network, std::string address)
      : network_(network),
        world_(network.world()),
        address_(std::move(address)),
        stamp_{.source_address = address_} {}
  ~StreamTransport() override { Stop(); }

  Result<void> Start(transport::TransportHandler& handler) override {
    handler_ = &handler;
    network_.Enter(address_, this);
    return {};
  }

  void Stop() override {
    if (handler_ == nullptr) return;
    handler_ = nullptr;
    network_.Leave(address_, this);
    for (auto& [to, link] : std::exchange(links_, {})) link->Close();
    for (const auto& snapshot : std::exchange(snapshots_, {})) snapshot->Close();
  }

  void Send(const std::string& address, raft::Envelope message) override {
    if (handler_ == nullptr || network_.IsSilent(address_)) return;
    if (network_.observer) network_.observer(message);
    LinkTo(address).link.Push(std::move(message), Now(world_));
    dirty_.insert(address);
  }

  void Flush() override {
    if (handler_ == nullptr || network_.IsSilent(address_)) return;
    for (const std::string& address : std::exchange(dirty_, {})) {
      Link& link = LinkTo(address);
      link.Perform(link.link.Flush(Now(world_)));
    }
  }

  void SendSnapshot(const std::string& address, std::unique_ptr<transport::ChunkSource> chunks,
                    std::function<void(Result<void>)> done) override {
    auto snapshot = std::make_shared<Snapshot>(*this, address);
    snapshot->chunks = std::move(chunks);
    snapshot->done = std::move(done);
    if (handler_ == nullptr) return snapshot->Close();
    snapshots_.insert(snapshot);
    snapshot->Perform(snapshot->steps.Start());
  }

  std::string listen_address() const override { return address_; }

 private:
  /// The receiver's end of a connection to this host.
  struct Incoming {
    explicit Incoming(StreamTransport& receiver) : host(receiver) {}
    StreamTransport& host;
    transport::ReceiveBudget budget{.limit = 64u << 20};
    transport::IncomingConnection connection{{}, budget};
  };

  /// A connection that was dialled, with what its receiver makes of it.
  struct Outgoing : std::enable_shared_from_this<Outgoing> {
    Outgoing(StreamTransport& sender, std::string address) : from(sender), to(std::move(address)) {}
    virtual ~Outgoing() = default;

    StreamTransport& from;
    const std::string to;
    std::shared_ptr<SimPipe> pipe;
    bool closed = false;

    /// Calls `reached` or `failed` some time later.
    void Dial(std::function<void()> reached, std::function<void(std::string)> failed);
    void Hang() {
      if (pipe != nullptr) std::exchange(pipe, nullptr)->Close();
    }
    virtual void Moved() = 0;
    virtual void Lost(std::string reason) = 0;
    virtual void Confirmed() = 0;
  };

  struct Link : Outgoing {
    Link(StreamTransport& sender, std::string address)
        : Outgoing(sender, std::move(address)), link({}, sender.world_.random.Next()) {}

    void Perform(LinkActions actions);
    void Write();
    void WatchDeadline();
    void Close() {
      closed = true;
      Hang();
    }
    void Moved() override;
    void Lost(std::string reason) override;
    void Confirmed() override { Lost("unexpected bytes came back"); }

    transport::OutgoingLink link;
    transport::OutgoingFrame frame;
    std::vector<transport::QueuedMessage> batch;
  };

  struct Snapshot : Outgoing {
    using Outgoing::Outgoing;

    void Perform(SnapshotStep step);
    void Fetch();
    void WriteSome();
    void WatchDeadline();
    void Fail(Error error) { Perform(steps.Failed(std::move(error))); }
    void Finish();
    void Close() { Fail({ErrorCode::kClosed, {}}); }
    void Moved() override;
    void Lost(std::string reason) override { Fail({ErrorCode::kTerminated, std::move(reason)}); }
    void Confirmed() override { Perform(steps.Received(codec::kPoison)); }

    transport::OutgoingSnapshot steps;
    transport::OutgoingFrame frame;
    std::unique_ptr<transport::ChunkSource> chunks;
    std::function<void(Result<void>)> done;
    bool writing = false;
  };

  Link& LinkTo(const std::string& address) {
    std::shared_ptr<Link>& link = links_[address];
    if (link == nullptr) link = std::make_shared<Link>(*this, address);
    return *link;
  }
  bool Take(Incoming& incoming, std::string_view bytes, Outgoing& sender);
  bool TakeFrame(const Incoming& incoming, const Arrival& arrival);
  void Judge(const std::string& to, std::string_view frame, codec::FrameMethod method);

  SimNetwork& network_;
  World& world_;
  const std::string address_;
  const transport::FrameStamp stamp_;
  transport::TransportHandler* handler_ = nullptr;
  std::map<std::string, std::shared_ptr<Link>> links_;
  std::set<std::string> dirty_;
  std::set<std::shared_ptr<Snapshot>> snapshots_;
};

// -- Connections ----------------------------------------------------------------------------------

void StreamTransport::Outgoing::Dial(std::function<void()> reached,
                                     std::function<void(std::string)> failed) {
  SimNetwork& network = from.network_;
  const bool hears = !network.IsCut(from.address_, to) && !network.IsCut(to, from.address_);
  from.world_.After(
      hears ? from.world_.Between(microseconds(200), milliseconds(3)) : kDialLimit,
      [self = shared_from_this(), hears, reached = std::move(reached), failed = std::move(failed)] {
        if (self->closed) return;
        SimNetwork& net = self->from.network_;
        auto* const peer = static_cast<StreamTransport*>(net.Find(self->to));
        if (!hears) return failed("dial: timed out");
        if (peer == nullptr) return failed("dial: connection refused");
        const std::uint64_t incarnation = net.IncarnationOf(self->to);
        auto incoming = std::make_shared<Incoming>(*peer);
        SimPipe::Ends ends;
        ends.open = [self] { return !self->from.network_.IsCut(self->from.address_, self->to); };
        ends.busy = [self] { return self->from.network_.Busy(self->from.address_); };
        ends.receive = [self, incoming, incarnation](std::string_view bytes) {
          if (self->from.network_.IncarnationOf(self->to) != incarnation) return false;
          return incoming->host.Take(*incoming, bytes, *self);
        };
        ends.moved = [self] { self->Moved(); };
        ends.lost = [self](std::string reason) {
          self->pipe = nullptr;
          if (!self->closed) self->Lost(std::move(reason));
        };
        self->pipe = std::make_shared<SimPipe>(self->from.world_, net.pipe_faults, std::move(ends));
        reached();
      });
}

bool StreamTransport::Take(Incoming& incoming, std::string_view bytes, Outgoing& sender) {
  while (true) {
    const Arrival arrival = incoming.connection.Take(bytes, Now(world_));
    switch (arrival.kind) {
      case Arrival::Kind::kNothing: return true;
      case Arrival::Kind::kPoison:
        world_.After(world_.Between(microseconds(100), milliseconds(2)),
                     [end = sender.shared_from_this()] {
                       if (!end->closed) end->Confirmed();
                     });
        return true;
      case Arrival::Kind::kBroken:
        if (!sender.pipe->flipped()) world_.Broken(address_ + " refuses bytes: " + arrival.reason);
        return false;
      case Arrival::Kind::kFrame:
        if (!TakeFrame(incoming, arrival)) return false;
        break;
    }
  }
}

bool StreamTransport::TakeFrame(const Incoming& incoming, const Arrival& arrival) {
  world_.Trace(std::hash<std::string_view>()(arrival.payload.view()) ^
               std::hash<std::string>()(address_));
  if (arrival.method == codec::FrameMethod::kSnapshotChunk) {
    Result<codec::Chunk> chunk = codec::DecodeChunk(arrival.payload);
    if (!chunk) throw Violation("a host sent a chunk that cannot be decoded");
    return handler_->OnChunk(std::move(*chunk));
  }
  Result<codec::MessageBatch> batch = codec::DecodeMessageBatch(arrival.payload);
  if (!batch || batch->refused > 0) throw Violation("a host sent what no host may send");
  const auto link = links_.find(batch->source_address);
  if (incoming.connection.frames() == 1 && link != links_.end()) {
    link->second->Perform(link->second->link.Heard(Now(world_)));
  }
  handler_->OnMessages(batch->source_address, std::move(batch->messages));
  return true;
}

void StreamTransport::Judge(const std::string& to, std::string_view frame,
                            codec::FrameMethod method) {
  const std::string_view payload = frame.substr(codec::kFramePrefixBytes);
  network_.Judge(address_, to, payload, method == codec::FrameMethod::kSnapshotChunk);
}

// -- Messages -------------------------------------------------------------------------------------

void StreamTransport::Link::Perform(LinkActions actions) {
  if (closed) return;
  if (actions.fail) {
    Hang();
    return Lost(std::move(*actions.fail));
  }
  if (actions.close) Hang();
  if (actions.up && actions.up->tell) from.handler_->OnConnected(to);
  if (actions.down && actions.down->tell) from.handler_->OnUnreachable(to, actions.down->reason);
  if (actions.dial) {
    Dial([this] { Perform(link.Dialed(Now(from.world_))); },
         [this](std::string reason) {
           Perform(link.DialFailed(std::move(reason), Now(from.world_)));
         });
  }
  if (actions.write) Write();
  if (actions.watch_deadline) WatchDeadline();
}

void StreamTransport::Link::Write() {
  if (pipe == nullptr || !link.BeginWrite()) return;
  for (;;) {
    const NextWrite next = link.NextToWrite(batch, Now(from.world_));
    if (next == NextWrite::kNothing) return;
    if (next == NextWrite::kEncode) {
      frame.Encode(batch, from.stamp_);
      batch.clear();
      from.Judge(to, frame.rest(), codec::FrameMethod::kMessageBatch);
    } else if (next == NextWrite::kRepeat) {
      frame.Rewind();
    }
    const std::size_t room = kSocketBytes - std::min(kSocketBytes, pipe->waiting());
    const std::size_t taken = std::min(room, frame.rest().size());
    if (taken > 0) pipe->Send(frame.rest().substr(0, taken));
    frame.Advance(taken);
    if (taken > 0) link.Wrote(Now(from.world_));
    if (!frame.done()) {
      link.Blocked(Now(from.world_));
      return WatchDeadline();
    }
    frame.Trim();
    link.WroteFrame(Now(from.world_));
  }
}

void StreamTransport::Link::Moved() {
  link.Writable();
  Write();
}

void StreamTransport::Link::Lost(std::string reason) {
  Perform(link.Lost(std::move(reason), Now(from.world_)));
}

void StreamTransport::Link::WatchDeadline() {
  const std::optional<transport::Time> deadline = link.deadline();
  if (!deadline) return;
  const auto wait = std::chrono::duration_cast<microseconds>(*deadline - Now(from.world_));
  from.world_.After(std::max(wait, microseconds(1)), [self = shared_from_this(), this, deadline] {
    // Another one is being watched if it has moved.
    if (closed || link.deadline() != deadline) return;
    LinkActions actions = link.Tick(Now(from.world_));
    actions.watch_deadline = true;
    Perform(std::move(actions));
  });
}

// -- Snapshots ------------------------------------------------------------------------------------

void StreamTransport::Snapshot::Perform(SnapshotStep step) {
  switch (step) {
    case SnapshotStep::kNothing:
    case SnapshotStep::kPause: break;
    case SnapshotStep::kDial:
      Dial([this] { Perform(steps.Dialed()); },
           [this](std::string reason) { Lost(std::move(reason)); });
      break;
    case SnapshotStep::kFetch:
      from.world_.After(microseconds(100), [self = shared_from_this(), this] {
        if (!closed) Fetch();
      });
      break;
    case SnapshotStep::kWrite:
      from.Judge(to, frame.rest(), codec::FrameMethod::kSnapshotChunk);
      WriteSome();
      break;
    case SnapshotStep::kPoison:
      frame.EncodeRaw(codec::kPoison);
      WriteSome();
      break;
    case SnapshotStep::kFinish: return Finish();
  }
  if (!closed) WatchDeadline();
}

void StreamTransport::Snapshot::Fetch() {
  Result<std::optional<codec::Chunk>> chunk = chunks->Next();
  const transport::Time now = Now(from.world_);
  if (!chunk) return Fail(chunk.error());
  if (!*chunk) return Perform(steps.FetchedEnd(now));
  frame.Encode(**chunk, codec::PayloadCheck::kCrc32);
  Perform(steps.FetchedChunk(now, now));
}

void StreamTransport::Snapshot::WriteSome() {
  writing = true;
  if (pipe == nullptr) return;
  const std::size_t room = kSocketBytes - std::min(kSocketBytes, pipe->waiting());
  const std::size_t taken = std::min(room, frame.rest().size());
  if (taken > 0) pipe->Send(frame.rest().substr(0, taken));
  frame.Advance(taken);
}

void StreamTransport::Snapshot::Moved() {
  if (!writing) return;
  steps.Progress(Now(from.world_));
  if (!frame.done()) return WriteSome();
  if (pipe->waiting() > 0) return;
  writing = false;
  Perform(steps.Written(Now(from.world_)));
}

void StreamTransport::Snapshot::WatchDeadline() {
  const std::optional<transport::Time> deadline = steps.deadline();
  if (!deadline) return;
  const auto wait = std::chrono::duration_cast<microseconds>(*deadline - Now(from.world_));
  from.world_.After(std::max(wait, microseconds(1)), [self = shared_from_this(), this, deadline] {
    if (!closed && steps.deadline() == deadline) Perform(steps.Tick(Now(from.world_)));
  });
}

void StreamTransport::Snapshot::Finish() {
  if (std::exchange(closed, true)) return;
  Hang();
  const auto self = std::static_pointer_cast<Snapshot>(shared_from_this());
  from.snapshots_.erase(self);
  chunks = nullptr;
  std::exchange(done, nullptr)(steps.result());
}

std::unique_ptr<transport::Transport> MakeStreamTransport(SimNetwork& network,
                                                          std::string address) {
  return std::make_unique<StreamTransport>(network, std::move(address));
}

}  // namespace drumbeat::simulation
