// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

// What must hold for any bytes that a peer or a file may hand us. Each function feeds `input` to
// the decoders of one format and returns what did not hold; empty when all did. Besides: whatever
// was decoded comes out of the encoder and the decoder again unchanged.
namespace drumbeat::fuzz {

std::string CheckFrameHeader(std::string_view input);
std::string CheckMessageBatch(std::string_view input);
std::string CheckEntry(std::string_view input);
std::string CheckChunk(std::string_view input);
std::string CheckConfigChange(std::string_view input);
/// Membership, hard state, bootstrap and snapshot record.
std::string CheckRecords(std::string_view input);
/// As the command of a client's entry.
std::string CheckCommand(std::string_view input);
std::string CheckSessionTable(std::string_view input);
/// As an image whose checksums are first made right, so that damage gets behind them.
std::string CheckImage(std::string_view input);
std::string CheckSnappyStream(std::string_view input);

}  // namespace drumbeat::fuzz
