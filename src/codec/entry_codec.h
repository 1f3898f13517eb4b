// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "drumbeat/error.h"

#include "base/bytes.h"
#include "raft/entry.h"

namespace drumbeat::codec {

/// An entry in Colfer form (wire.md 2.3), as it travels and as it is stored.
std::size_t EncodedEntrySize(const raft::Entry& entry);
void AppendEntry(std::string& out, const raft::Entry& entry);
/// Writes exactly EncodedEntrySize(entry) bytes at `at`; returns their end.
char* WriteEntry(char* at, const raft::Entry& entry);

/// Decodes one entry at the start of `bytes`; bytes behind its end mark are ignored. The command
/// shares the buffer of `bytes`. Refuses entry types that do not exist.
Result<raft::Entry> DecodeEntry(const base::Bytes& bytes);

/// The same for whoever decides what the command shares: `entry.command` stays as it is and
/// `command` is the part of `bytes` that holds it. Takes the entry off the front of `bytes`. What
/// is wrong, or null when nothing is.
const char* ParseEntry(std::string_view& bytes, raft::Entry& entry, std::string_view& command);

}  // namespace drumbeat::codec
