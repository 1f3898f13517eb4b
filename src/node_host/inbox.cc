// SPDX-License-Identifier: Apache-2.0
#include "node_host/inbox.h"

#include <utility>

#include "codec/wire_message.h"

namespace drumbeat::node_host {
namespace {

std::size_t DataBytes(const raft::Message& message) {
  const std::vector<raft::Entry>* entries = codec::EntriesOf(message);
  if (entries == nullptr) return 0;
  std::size_t bytes = 0;
  for (const raft::Entry& entry : *entries) bytes += raft::EntrySize(entry);
  return bytes;
}

}  // namespace

bool Inbox::AddMessage(raft::Envelope message) {
  const std::size_t bytes = DataBytes(message.message);
  const bool always = std::holds_alternative<raft::InstallSnapshot>(message.message);
  const base::MutexLock lock(mutex_);
  if (bytes > 0) {
    // A single message may be larger than the budget; it is taken when nothing else waits.
    if (data_bytes_ > 0 && data_bytes_ + bytes > limits_.data_bytes) return false;
    data_bytes_ += bytes;
  } else if (!always) {
    if (control_messages_ >= kMaxControlMessages) return false;
    ++control_messages_;
  }
  contents_.messages.push_back(std::move(message));
  return true;
}

bool Inbox::AddStrangersMessage(raft::Envelope message) {
  const std::size_t bytes = DataBytes(message.message);
  const base::MutexLock lock(mutex_);
  if (strangers_messages_ >= kMaxStrangersMessages) return false;
  const std::size_t most = limits_.data_bytes / 8;
  if (bytes > 0 && strangers_bytes_ > 0 && strangers_bytes_ + bytes > most) return false;
  ++strangers_messages_;
  strangers_bytes_ += bytes;
  contents_.messages.push_back(std::move(message));
  return true;
}

bool Inbox::AddProposal(raft::Entry& entry) {
  const std::size_t bytes = raft::EntrySize(entry);
  const std::size_t limit = limits_.proposal_bytes;
  const base::MutexLock lock(mutex_);
  if (limit > 0 && proposal_bytes_ > 0 && proposal_bytes_ + bytes > limit) return false;
  proposal_bytes_ += bytes;
  contents_.proposals.push_back(std::move(entry));
  return true;
}

void Inbox::AddEvent(ReplicaEvent event) {
  const base::MutexLock lock(mutex_);
  contents_.events.push_back(std::move(event));
}

void Inbox::AddTick() {
  const base::MutexLock lock(mutex_);
  ++contents_.ticks;
}

void Inbox::Take(Contents& contents) {
  contents.ticks = 0;
  contents.events.clear();
  contents.messages.clear();
  contents.proposals.clear();
  const base::MutexLock lock(mutex_);
  std::swap(contents, contents_);
  data_bytes_ = 0;
  proposal_bytes_ = 0;
  control_messages_ = 0;
  strangers_messages_ = 0;
  strangers_bytes_ = 0;
}

}  // namespace drumbeat::node_host
