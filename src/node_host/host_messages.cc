// SPDX-License-Identifier: Apache-2.0
#include <utility>

#include "codec/command.h"
#include "codec/wire_message.h"
#include "node_host/host.h"

// What the network delivers to a host.
namespace drumbeat::node_host {

void Host::OnMessages(const std::string& source_address, std::vector<raft::Envelope> messages) {
  ReplicaPtr replica;
  ShardId shard;
  for (raft::Envelope& message : messages) {
    if (replica == nullptr || message.shard != shard) {
      if (replica != nullptr) replica->Notify();
      shard = message.shard;
      replica = Find(shard);
      if (replica == nullptr) continue;
    }
    Deliver(*replica, source_address, std::move(message));
  }
  if (replica != nullptr) replica->Notify();
}

void Host::Deliver(Replica& replica, const std::string& source_address, raft::Envelope message) {
  ReplicaState& state = replica.state();
  if (state.stopped()) return;
  if (message.to != state.ref.replica || message.from == state.ref.replica) return;
  const Speaker speaker = source_address.empty()
                              ? Speaker::kKnown
                              : state.addresses.Heard(message.from, source_address);
  if (speaker == Speaker::kImpostor) {
    if (MayWarn()) {
      state.services.logger.For("transport")
          .Warning("dropped a message in the name of " +
                   logging::Name(state.ref.shard, message.from) + " from " + source_address +
                   ", which is not that member's address");
    }
    return;
  }
  if (const std::vector<raft::Entry>* entries = codec::EntriesOf(message.message)) {
    for (const raft::Entry& entry : *entries) {
      const std::optional<std::string> why = codec::WhyEntryUnfit(entry);
      if (!why) continue;
      if (MayWarn()) {
        state.services.logger.For("transport")
            .Warning("dropped entries from " + logging::Name(state.ref.shard, message.from) + ": " +
                     *why);
      }
      return;
    }
  }
  if (speaker == Speaker::kStranger) {
    state.inbox.AddStrangersMessage(std::move(message));
  } else {
    state.inbox.AddMessage(std::move(message));
  }
}

bool Host::AcceptsChunk(Replica& replica, const codec::Chunk& chunk) const {
  ReplicaState& state = replica.state();
  if (chunk.to != state.ref.replica) return false;
  if (state.installing()) return false;  // it is asked for again
  // What its Raft would ignore must not become durable: a restart would begin from it.
  if (state.leader().leader == state.ref.replica) return false;
  if (!chunk.from || chunk.from == state.ref.replica) return false;
  // From a member, or from the leader that it follows while it knows no members.
  return state.addresses.IsMember(chunk.from) || state.leader().leader == chunk.from;
}

bool Host::OnChunk(codec::Chunk chunk) {
  const ReplicaPtr replica = Find(chunk.shard);
  if (replica == nullptr || !AcceptsChunk(*replica, chunk)) return false;
  ReplicaState& state = replica->state();
  // An image that entered behind the end of this life would be none of the next one's.
  const ReplicaState::AddingChunk adding(state);
  if (!adding.ok()) return false;
  // That of the first one counts.
  if (chunk.chunk_id == 0 && !codec::DecodeChunkMembership(chunk)) return false;
  if (chunk.witness && state.config.role != ReplicaRole::kWitness) {
    // A stub, of one chunk, holds no state. Behind a cut log nothing else tells a witness of its
    // role.
    const auto wrong = chunk.chunk_id == 0 ? state.WrongRole(chunk.membership) : std::nullopt;
    if (wrong) state.End(Life::kFailed, *wrong);
    return false;
  }
  const Result<SnapshotReceiver::Step> step =
      snapshot_receiver_.Add(chunk, {.now_tick = now_tick_.load(),
                                     .committed = state.committed(),
                                     .leader = state.leader().leader});
  if (!step) {
    if (step.error().code == ErrorCode::kWriteFailed) Fail(step.error());
    if (MayWarn()) {
      parts_.logger.For("transport")
          .Warning("refused a snapshot chunk from " + logging::Name(chunk.shard, chunk.from) +
                   ": " + std::string(step.error().text()));
    }
    return false;
  }
  if (step->progress == SnapshotReceiver::Progress::kComplete && !state.stopped()) {
    SnapshotArrived(*replica, chunk.from, step->snapshot);
  }
  return true;
}

void Host::SnapshotArrived(Replica& replica, ReplicaId from, const raft::SnapshotRecord& snapshot) {
  ReplicaState& state = replica.state();
  parts_.logger.For("transport")
      .Info("received snapshot of " + logging::Name(state.ref) + " at index " +
            std::to_string(snapshot.index.value()) + " from " +
            logging::Name(state.ref.shard, from) + ", size " +
            std::to_string(snapshot.image_bytes));
  services_->events.Post([ref = state.ref, from, snapshot](EventListener& listener) {
    listener.SnapshotReceived({ref, from, snapshot.index, snapshot.image_bytes});
  });
  const std::string address = state.addresses.Find(from);
  if (!address.empty()) {
    parts_.transport->Send(address, {.shard = state.ref.shard,
                                     .from = state.ref.replica,
                                     .to = from,
                                     .term = {},
                                     .message = raft::SnapshotReceived{}});
    parts_.transport->Flush();
  }
  state.InstallBegins();
  state.inbox.AddMessage({.shard = state.ref.shard,
                          .from = from,
                          .to = state.ref.replica,
                          .term = {},
                          .message = raft::InstallSnapshot{snapshot}});
  replica.Notify();
}

void Host::OnUnreachable(const std::string& address, const std::string& reason) {
  services_->events.Post(
      [address, reason](EventListener& listener) { listener.ConnectionFailed(address, reason); });
  for (const ReplicaPtr& replica : AllReplicas()) {
    if (replica->state().stopped()) continue;
    for (const ReplicaId peer : replica->state().addresses.At(address)) {
      if (peer == replica->state().ref.replica) continue;
      replica->state().inbox.AddEvent(PeerUnreachable{peer});
      replica->Notify();
    }
  }
}

void Host::OnConnected(const std::string& address) {
  services_->events.Post(
      [address](EventListener& listener) { listener.ConnectionEstablished(address); });
}

}  // namespace drumbeat::node_host
