// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <type_traits>

#include "raft/message.h"

namespace drumbeat::raft {

/// Terms and indexes from here on are refused, so that counting on never wraps. Whoever can send
/// messages can still waste terms up to it; only TLS keeps strangers from doing so.
constexpr std::uint64_t kCountLimit = std::uint64_t{1} << 62;

template <class M, class... Kinds>
constexpr bool kIsOneOf = (std::is_same_v<M, Kinds> || ...);

/// Kinds that are made outside the protocol or passed on for others: their term means nothing.
template <class M>
constexpr bool kCarriesTerm =
    !kIsOneOf<M, ForwardedProposal, ReadIndexRequest, LeaderTransferRequest, QuiesceNotice,
              SnapshotReceived, InstallSnapshot>;

/// Kinds that only the leader of their term sends.
template <class M>
constexpr bool kSpeaksAsLeader = kIsOneOf<M, AppendEntries, Heartbeat, ReadIndexReply, TimeoutNow>;

/// Kinds that a replica may have to hear from someone who is not in its membership yet: a leader
/// or candidate that was added by an entry that is not applied here.
template <class M>
constexpr bool kHeardFromStrangers =
    kSpeaksAsLeader<M> || kIsOneOf<M, RequestVote, RequestPreVote, InstallSnapshot>;

/// Whether a correct member could have sent `envelope`: terms and indexes in range, a term where
/// one belongs, entries that follow each other.
bool IsWellFormed(const Envelope& envelope);

}  // namespace drumbeat::raft
