// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "drumbeat/error.h"
#include "raft/entry.h"

namespace drumbeat::codec {

/// An entry in Colfer form (wire.md 2.3), as it travels and as it is stored.
std::size_t EncodedEntrySize(const raft::Entry& entry);
void AppendEntry(std::string& out, const raft::Entry& entry);

/// Decodes one entry at the start of `bytes`; bytes behind its end mark are ignored. The command
/// shares the buffer of `bytes`.
Result<raft::Entry> DecodeEntry(const base::Bytes& bytes);

}  // namespace drumbeat::codec
